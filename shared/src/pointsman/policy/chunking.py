"""Where an input is cut that is too long for one call.

Cut at the end of a paragraph if one ends in the second half of the room, else at the end of a
sentence there, else between two words. White space stays with what comes before it, so that the
parts one after the other are the input again; nothing overlaps, and a word is never cut.
"""

import re
from collections.abc import Sequence
from typing import Final

from pointsman.contracts.parts import MAX_PARTS

LINES: Final = frozenset({"application/jsonl", "application/x-ndjson"})
"""Media types of which each line stands for itself."""

NOT_DIVISIBLE: Final = "not_divisible"
TOO_MANY_PARTS: Final = "too_many_parts"

_PARAGRAPH: Final = re.compile(rb"\n[ \t\r]*\n\s*")
# Chinese and Japanese sentences end without a space: U+3002, U+FF01, U+FF1F.
_SENTENCE: Final = re.compile(
    rb"""[.!?]["')\]]*\s+|\n\s*|\xe3\x80\x82\s*|\xef\xbc\x81\s*|\xef\xbc\x9f\s*"""
)
_WORD: Final = re.compile(rb"\s+")
_LINE: Final = re.compile(rb"\n")


class NotDivisibleError(Exception):
    """The sender must shorten the input or send it in pieces; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def cut(data: bytes, *, max_bytes: int, media_type: str) -> list[bytes]:
    """The parts of an input in their order; none is empty, blank ones are among them.

    Raises `NotDivisibleError`.
    """
    lines = media_type.partition(";")[0].strip().lower() in LINES
    if not lines:
        _require_text(data)
    parts: list[bytes] = []
    start = 0
    while start < len(data):
        if len(parts) == MAX_PARTS:
            raise NotDivisibleError(
                TOO_MANY_PARTS,
                f"its {len(data)} bytes make more than {MAX_PARTS} parts of {max_bytes}",
            )
        end = _line_end(data, start, max_bytes) if lines else _text_end(data, start, max_bytes)
        parts.append(data[start:end])
        start = end
    return parts


def least_limit(size: int, limits: Sequence[int]) -> int | None:
    """The smallest of the limits with which an input makes few enough parts; None if none does."""
    return min((limit for limit in limits if size <= MAX_PARTS * limit), default=None)


def _require_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise NotDivisibleError(
            NOT_DIVISIBLE, f"byte {error.start} is not UTF-8, and only texts and lines can be cut"
        ) from error


def _text_end(data: bytes, start: int, max_bytes: int) -> int:
    latest = start + max_bytes
    if latest >= len(data):
        return len(data)
    middle = start + max_bytes // 2
    for boundary, after in ((_PARAGRAPH, middle), (_SENTENCE, middle), (_WORD, start)):
        end = _last_end(boundary, data, start, latest)
        if end is not None and end >= after:
            return end
    raise NotDivisibleError(
        NOT_DIVISIBLE, f"the word at byte {start} is longer than the {max_bytes} of a part"
    )


def _line_end(data: bytes, start: int, max_bytes: int) -> int:
    latest = start + max_bytes
    if latest >= len(data):
        return len(data)
    end = _last_end(_LINE, data, start, latest)
    if end is None:
        raise NotDivisibleError(
            NOT_DIVISIBLE, f"the line at byte {start} is longer than the {max_bytes} of a part"
        )
    return end


def _last_end(boundary: re.Pattern[bytes], data: bytes, start: int, latest: int) -> int | None:
    """The last end of a boundary within (start, latest].

    White space that goes on beyond `latest` is cut there: still between two words.
    """
    ends = (match.end() for match in boundary.finditer(data, start, latest))
    return max(ends, default=None)
