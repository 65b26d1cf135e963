"""How the results of parts become the result of the whole, by the rule of the family.

What is missing is said in the result itself: in its media type (`parts`, `missing`), and where the
form has room for it: a text has a line in the place of each missing part, a vote a field `parts`.
"""

import array
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pointsman.contracts.parts import Merge

NOT_MERGEABLE: Final = "not_mergeable"

_DIGITS: Final = 4
"""Of scores, as models give them."""


class NotMergeableError(Exception):
    """Results do not have the form that the rule needs: the registry names the wrong rule."""

    code = NOT_MERGEABLE

    def __init__(self, rule: Merge, detail: str) -> None:
        super().__init__(f"results cannot be merged by {rule}: {detail}; correct the registry")
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of one part; `weight` are the bytes of its input."""

    part: int
    weight: int
    data: bytes | None = None
    media_type: str = ""
    code: str = ""
    """Why there is no data."""


@dataclass(frozen=True, slots=True)
class Merged:
    """One result."""

    data: bytes
    media_type: str


def merged(rule: Merge, pieces: Sequence[Piece]) -> Merged:
    """The result of a whole from those of its parts, in their order; one of them has data.

    Raises `NotMergeableError`.
    """
    there = [piece for piece in pieces if piece.data is not None]
    if not there:
        raise NotMergeableError(rule, "no part has a result")
    missing = tuple(piece.part for piece in pieces if piece.data is None)
    note = f";parts={len(pieces)}"
    if missing:
        note += f';missing="{",".join(map(str, missing))}"'
    return Merged(_RULES[rule](pieces, there), there[0].media_type + note)


def _joined(pieces: Sequence[Piece], _: Sequence[Piece]) -> bytes:
    return b"\n\n".join(_text(piece, len(pieces)) for piece in pieces)


def _text(piece: Piece, count: int) -> bytes:
    if piece.data is None:
        return f"[part {piece.part} of {count} is missing: {piece.code}]".encode()
    return piece.data.strip()


def _mean(_: Sequence[Piece], there: Sequence[Piece]) -> bytes:
    vectors = [_vector(piece) for piece in there]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise NotMergeableError(Merge.MEAN, f"their vectors have {sorted(lengths)} numbers")
    weights = [piece.weight for piece in there]
    sums = [
        math.fsum(weight * number for weight, number in zip(weights, numbers, strict=True))
        for numbers in zip(*vectors, strict=True)
    ]
    length = math.sqrt(math.fsum(number * number for number in sums))
    return _packed([number / length for number in sums] if length else sums)


def _vector(piece: Piece) -> Sequence[float]:
    data = piece.data or b""
    numbers = array.array("f")
    if not data or len(data) % numbers.itemsize:
        raise NotMergeableError(Merge.MEAN, f"part {piece.part} gave no 32-bit numbers")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    if not math.isfinite(sum(numbers)):
        raise NotMergeableError(Merge.MEAN, f"part {piece.part} gave numbers that are not finite")
    return numbers


def _packed(numbers: Sequence[float]) -> bytes:
    packed = array.array("f", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _vote(pieces: Sequence[Piece], there: Sequence[Piece]) -> bytes:
    total = sum(piece.weight for piece in there) or 1
    sums: dict[str, float] = {}
    for piece in there:
        for label, score in _scores(piece).items():
            sums[label] = sums.get(label, 0.0) + score * piece.weight / total
    scores = {label: round(sums[label], _DIGITS) for label in sorted(sums)}
    # Of equals the first by name.
    label = min(sums, key=lambda name: (-sums[name], name))
    missing = [piece.part for piece in pieces if piece.data is None]
    parts = {"total": len(pieces), "missing": missing}
    return json.dumps({"label": label, "scores": scores, "parts": parts}).encode()


def _scores(piece: Piece) -> Mapping[str, float]:
    """Score by label; a label without scores has the whole vote."""
    try:
        verdict: Any = json.loads(piece.data or b"")
        scores = verdict.get("scores") or {verdict["label"]: 1.0}
        return {str(label): float(score) for label, score in scores.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotMergeableError(
            Merge.VOTE, f"part {piece.part} gave no label with scores ({error!r})"
        ) from error


_RULES: Final[Mapping[Merge, Callable[[Sequence[Piece], Sequence[Piece]], bytes]]] = (
    MappingProxyType({Merge.JOIN: _joined, Merge.MEAN: _mean, Merge.VOTE: _vote})
)
