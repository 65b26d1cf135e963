"""Words of tasks whose input is cut into parts that run on their own."""

from enum import StrEnum
from typing import Final

from pointsman.contracts.message import BlobRef, Message

MAX_PARTS: Final = 64
"""Parts of one input at the most: each is a task, and all of them are accepted in one commit."""


class Merge(StrEnum):
    """How the results of parts become one; a family of models has one rule."""

    JOIN = "join"
    """One after the other, with a blank line between."""
    MEAN = "mean"
    """Vectors: their mean, each weighted by the bytes of its part, at length 1."""
    VOTE = "vote"
    """Labels with scores: the mean of the scores, weighted alike, and the label that leads."""


class PartsWork(StrEnum):
    """What an executor does to a whole task that runs in parts."""

    SPLIT = "split"
    MERGE = "merge"


class SplitPlan(Message, frozen=True):
    """An input does not run as a whole: it is cut first, and results of parts are merged."""

    max_bytes: int
    """No part is longer."""
    merge: Merge
    partial: bool = False
    """Its caller takes the results of some parts where others failed."""
    reason: str = ""
    """A sentence."""


class FailedPart(Message, frozen=True):
    """A part without a result."""

    part: int
    code: str
    """Of its failure; otherwise `cancelled`, `expired`, `shed` or `abandoned`."""


class PartsOutcome(Message, frozen=True):
    """Which parts a merged result holds."""

    done: tuple[int, ...]
    failed: tuple[FailedPart, ...] = ()


class SplitWork(Message, frozen=True):
    """Of a lease: read the payload, cut it and store the parts."""

    max_bytes: int


class PartResult(Message, frozen=True):
    """What there is to merge of one part."""

    size: int
    """Bytes of its input."""
    result: BlobRef | None = None
    code: str = ""
    """Why it has none, as in `FailedPart`."""


class MergeWork(Message, frozen=True):
    """Of a lease: read the results of parts, merge them and store what comes of it."""

    rule: Merge
    parts: tuple[PartResult, ...]
    """In the order of the input; part 1 is the first."""
