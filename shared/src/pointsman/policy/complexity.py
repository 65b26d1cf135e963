"""How complex a task is: the place of its work on the scale of its family, 0 to 1.

Everything is read from what the log knows of a task, its size, type and parameters, so that a
replay needs no content. A longer input is never simpler than a shorter one of the same family.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import log
from typing import Final

SIMPLE_BELOW: Final = 0.3
COMPLEX_FROM: Final = 0.7

BYTES_PER_TOKEN: Final = 4
"""Of English text in the usual vocabularies; other languages come out longer than they are."""

OUTPUT_WEIGHT: Final = 4
"""A token is written one at a time, while the input is read all at once."""

_MAX_TOKENS: Final = "max_tokens"
_TEXTS: Final = ("text/", "application/json")


class Band(StrEnum):
    """What a score means for the choice of a model."""

    SIMPLE = "simple"
    MEDIUM = "medium"
    COMPLEX = "complex"


@dataclass(frozen=True, slots=True)
class Scale:
    """The work, in tokens, at which the bands of a family meet."""

    simple_below: float
    complex_from: float
    read_from: str


# A few sentences with a line of output, and a document of some pages with a page of output.
DEFAULT_SCALE: Final = Scale(simple_below=256.0, complex_from=4096.0, read_from="default")


def tokens_of(size_bytes: int) -> int:
    """About how many tokens a text has."""
    return -(-size_bytes // BYTES_PER_TOKEN)


def written_tokens(size_bytes: int, media_type: str) -> int:
    """Tokens of a result; one that is no text was not written token by token."""
    return tokens_of(size_bytes) if media_type.startswith(_TEXTS) else 0


def asked_tokens(parameters: Mapping[str, str] | None) -> int | None:
    """The output that the sender allows for, if it says so."""
    asked = (parameters or {}).get(_MAX_TOKENS, "")
    return int(asked) if asked.isascii() and asked.isdigit() else None


def work_of(input_tokens: int, output_tokens: int) -> int:
    """Tokens to work through."""
    return input_tokens + OUTPUT_WEIGHT * output_tokens


def score_of(work: int, scale: Scale) -> float:
    """0 to 1, even in the logarithm of the work between the ends of the scale and beyond them."""
    span = log(scale.complex_from / scale.simple_below)
    place = log(max(work, 1) / scale.simple_below) / span
    score = SIMPLE_BELOW + (COMPLEX_FROM - SIMPLE_BELOW) * place
    return round(min(1.0, max(0.0, score)), 4)


def band_of(score: float) -> Band:
    """Small models below 0.3, medium ones below 0.7, else large ones."""
    if score < SIMPLE_BELOW:
        return Band.SIMPLE
    return Band.MEDIUM if score < COMPLEX_FROM else Band.COMPLEX
