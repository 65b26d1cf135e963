"""A waiting task as the order sees it."""

import msgspec


# Not tracked by the garbage collector: with a million of them it would stop for 0.3 s to look.
class QueuedTask(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A task that waits; times are seconds since the epoch. Two are equal if they are one."""

    number: int
    """Unique, and larger for what was accepted later; its position in the log serves."""
    class_id: str
    tenant: str
    key: float
    """Its virtual deadline."""
    arrival: float
    deadline: float | None = None
    strict: bool = False
    """The deadline counts as missed already where the p99 of the class would miss it."""
