"""Events of a task that runs in parts; they stand in its stream, those of a part in its own.

The parts are accepted in the commit of `TaskSplit`, as tasks whose ids follow from that of their
parent. What happens to them never changes the parent's stream: its state of being `split` lasts
until they have all ended and their results are merged.
"""

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import BlobRef
from pointsman.contracts.parts import Merge, PartsWork, SplitPlan


class SplitPlanned(Decision, frozen=True):
    """A waiting task is to run in parts after all: no variant had room for it as a whole."""

    plan: SplitPlan
    code: str
    """What the last attempt failed with."""


class PartsGranted(Decision, frozen=True):
    """An executor holds a lease to cut the input, or to merge results; no device is involved."""

    attempt: int
    work: PartsWork
    executor: str
    incarnation: str
    timeout_s: float
    """From acceptance by the holder."""


class TaskSplit(Decision, frozen=True):
    """The input was cut; the task ends when its parts have."""

    attempt: int
    executor: str
    merge: Merge
    parts: tuple[BlobRef, ...]
    """In the order of the input; part 1 is the first."""
