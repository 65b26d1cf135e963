"""Where a task stood between its attempts, in sentences."""

from collections.abc import Sequence

from pointsman.contracts.events import Decision, TaskCheckpointed, TaskGranted, TaskHedged
from pointsman.scheduler.domain.why.words import clock


def standing(event: TaskCheckpointed, following: Decision | None) -> list[str]:
    """The last checkpoint of several that came one after the other."""
    if isinstance(following, TaskCheckpointed):
        return []
    far = "" if event.progress is None else f" at {event.progress:.0%}"
    number, size = event.sequence, event.checkpoint.size
    told = f"attempt {event.attempt} handed back checkpoint {number}{far}, {size} bytes"
    return [f"{clock(event.at)}: {told}."]


def goes_on(before: Sequence[Decision], granted: TaskGranted | TaskHedged) -> list[str]:
    """Where an attempt begins that does not begin at the beginning."""
    last = next((event for event in reversed(before) if isinstance(event, TaskCheckpointed)), None)
    if last is None:
        return []
    if last.variant != granted.variant:
        return [
            f"It begins anew: the checkpoint of {last.variant} means nothing to {granted.variant}."
        ]
    far = "" if last.progress is None else f", {last.progress:.0%} of the work"
    return [f"It goes on from checkpoint {last.sequence} of attempt {last.attempt}{far}."]
