"""The one parser for JSON that comes from outside.

Python's own parser accepts NaN, repeated keys and lone surrogates, raises RecursionError on deep
nesting and ValueError on very long integers; every reader of a message would differ in what it
makes of those, so they are refused here, before anything else looks at the document.
"""

import json
import re
from typing import Final, NoReturn

MAX_DEPTH: Final = 64
MAX_NUMBER_CHARS: Final = 32
MAX_BYTES: Final = 1024 * 1024
"""The bus refuses larger messages anyway."""

# Possessive, and matching at every quotation mark whatever follows it: a search that could go back
# or start again would take quadratic time on a hostile document.
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NUL: Final = re.compile(r"(?<!\\)(\\++)u0000")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_SHOWN_CHARS: Final = 64
"""What an error repeats of the document, which may be as large as it likes."""
_BOM: Final = b"\xef\xbb\xbf"


class MalformedJsonError(ValueError):
    """The sender must correct the document; `code` says what is wrong with it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse(body: bytes) -> object:
    """Strict UTF-8 JSON: no BOM, NaN, Infinity, NUL, lone surrogate or repeated key.

    At most `MAX_DEPTH` nested containers, numbers of at most `MAX_NUMBER_CHARS` characters and
    `MAX_BYTES` in all. Raises `MalformedJsonError`.
    """
    text = _text(body)
    _check_depth(text)
    try:
        document: object = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_int,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        raise MalformedJsonError("not_json", f"not JSON: {error}") from None
    if _SURROGATE.search(text):
        _check_characters(document)
    return document


def parse_object(body: bytes) -> dict[str, object]:
    """Like `parse`, for documents that must be objects."""
    document = parse(body)
    if not isinstance(document, dict):
        raise MalformedJsonError("not_an_object", "the document must be a JSON object")
    return document  # pyright: ignore[reportUnknownVariableType] - json gives str keys


def _text(body: bytes) -> str:
    if len(body) > MAX_BYTES:
        raise MalformedJsonError("too_large", f"{len(body)} bytes, at most {MAX_BYTES} are taken")
    if body.startswith(_BOM):
        raise MalformedJsonError("byte_order_mark", "the document starts with a byte order mark")
    try:
        text = body.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise MalformedJsonError("not_utf8", f"not UTF-8 at byte {error.start}") from None
    if "\\u0000" in text and _holds_nul(text):
        raise MalformedJsonError("nul_character", "strings must not hold the character U+0000")
    return text


def _holds_nul(text: str) -> bool:
    # An even run of backslashes before `u0000` is an escaped backslash, not an escape.
    return any(len(run.group(1)) % 2 == 1 for run in _NUL.finditer(text))


def _check_depth(text: str) -> None:
    depth = 0
    for character in _STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJsonError("too_deep", f"more than {MAX_DEPTH} nested containers")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise MalformedJsonError(
            "repeated_key", f"the key {repeated[:_SHOWN_CHARS]!r} stands twice"
        )
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJsonError("not_finite", f"{name} is not a JSON number")


def _int(digits: str) -> int:
    return int(_short(digits))


def _float(digits: str) -> float:
    value = float(_short(digits))
    if value in {float("inf"), float("-inf")}:
        raise MalformedJsonError("not_finite", f"{digits} is out of range")
    return value


def _short(digits: str) -> str:
    if len(digits) > MAX_NUMBER_CHARS:
        raise MalformedJsonError(
            "long_number", f"a number of {len(digits)} characters, at most {MAX_NUMBER_CHARS}"
        )
    return digits


def _check_characters(document: object) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedJsonError("lone_surrogate", "a string holds half of a character") from None
