"""Failures that speak against a variant, and how many of them came in a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND, OUT_OF_MEMORY, RUN_TIMEOUT

# Which codes of an attempt speak against the variant. Whatever else went wrong (the input, the
# device, the executor, the blob store, a queue that was full) would go wrong with another variant
# too, so it neither counts nor ends a row.
BLAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        OUT_OF_MEMORY: "it needs more memory than there is",
        # One such answer may be the input's fault; several in a row, of several tasks, are not.
        "model_error": "it raised an error",
        "bad_output": "its answer was not what it should be",
        MODEL_NOT_FOUND: "it is not loaded where it should be",
        "not_ready": "it is loaded and does not answer",
        RUN_TIMEOUT: "it did not answer in time",
    }
)

KEPT: Final = 16
"""Of the failures in a row; their number is kept beside them."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed in a way that speaks against its variant."""

    position: int
    at: float
    task: str
    code: str


@dataclass(frozen=True, slots=True)
class Streak:
    """What has spoken against a variant of a pool since it last completed a task."""

    pool: str
    variant: str
    count: int = 0
    """Failures since the last completed task."""
    recent: tuple[Failure, ...] = ()
    """The newest of them, and those for want of memory from before, oldest first."""

    def failed(self, failure: Failure) -> "Streak":
        """One more."""
        recent = (*self.recent, failure)[-KEPT:]
        return Streak(self.pool, self.variant, self.count + 1, recent)

    def completed(self) -> "Streak":
        """The row ends; that there was too little memory for some task stays true."""
        kept = tuple(each for each in self.recent if each.code == OUT_OF_MEMORY)
        return Streak(self.pool, self.variant, 0, kept)

    @property
    def row(self) -> tuple[Failure, ...]:
        """The failures since the last completed task, as far as they are kept."""
        return self.recent[-self.count :] if self.count else ()

    def since(self, position: int) -> "Streak":
        """Only what came after a position."""
        recent = tuple(each for each in self.recent if each.position > position)
        left = sum(each.position > position for each in self.row)
        count = self.count if left == len(self.row) else left
        return Streak(self.pool, self.variant, count, recent)
