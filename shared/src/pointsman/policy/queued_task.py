"""A waiting task as the order sees it."""

from collections.abc import Hashable
from typing import Protocol

import msgspec

ClassId = Hashable
"""Names a queue class: tasks that the same variants may serve."""


class Waiting(Protocol):
    """What the order needs of a task that waits; nothing of it changes meanwhile.

    Times are seconds since the epoch. Two are equal if they are one.
    """

    @property
    def number(self) -> int:
        """Unique, and larger for what was accepted later; its position in the log serves."""
        ...

    @property
    def class_id(self) -> ClassId:
        """The queue that it waits in."""
        ...

    @property
    def tenant(self) -> str:
        """On whose behalf."""
        ...

    @property
    def key(self) -> float:
        """Its virtual deadline."""
        ...

    @property
    def arrival(self) -> float:
        """When it was accepted."""
        ...

    @property
    def deadline(self) -> float | None:
        """When its result is of no use any more."""
        ...

    @property
    def strict(self) -> bool:
        """The deadline counts as missed already where the p99 of the class would miss it."""
        ...

    def __hash__(self) -> int: ...


# Not tracked by the garbage collector: with a million of them it would stop for 0.3 s to look.
class QueuedTask(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A task that waits in a simulation; the fields are those of `Waiting`."""

    number: int
    class_id: str
    tenant: str
    key: float
    arrival: float
    deadline: float | None = None
    strict: bool = False
