"""What operators did to a task, in sentences."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pointsman.contracts.events import (
    Decision,
    RekeyKind,
    TaskAccepted,
    TaskHeld,
    TaskRekeyed,
    TaskReleased,
)
from pointsman.contracts.task_states import TaskState, next_state
from pointsman.policy.order import WINDOWS
from pointsman.scheduler.domain.why.words import clock, moment, span

_LATER: Final = MappingProxyType(
    {
        TaskState.GRANTED: "An attempt was running: that counts for the next one",
        TaskState.SPLIT: "It had been cut: its parts keep their places, that counts for the merge",
    }
)


def rekeyed(before: Sequence[Decision], event: TaskRekeyed) -> list[str]:
    """What a boost or a move did: when it is due now, its place in line, and how long it counts."""
    what = f"moved to {event.priority_class} work"
    if event.kind is RekeyKind.BOOST:
        what = f"made due {span(event.boost_s)} earlier" if event.boost_s else "boosted no more"
    window = WINDOWS[event.priority_class]
    due_s = window.due_s if event.due_s is None else event.due_s
    floor_s = window.floor_s if event.floor_s is None else event.floor_s
    earlier = _key_of(before)
    instead = "" if earlier in {None, event.key} else f" instead of {clock(earlier or 0.0)}"
    due = (
        f"It is due to start by {clock(event.key)}{instead}, in the window of "
        f"{event.priority_class} work: {span(due_s)} from its arrival, not before {span(floor_s)}."
    )
    told = [f"{clock(event.at)}: {what} by {event.by}: {event.reason}.", due]
    return told + _place(before, event)


def _key_of(before: Sequence[Decision]) -> float | None:
    """When it was due to start before."""
    for event in reversed(before):
        if isinstance(event, TaskRekeyed | TaskAccepted):
            return event.key
    return None


def _place(before: Sequence[Decision], event: TaskRekeyed) -> list[str]:
    if event.places is not None:
        old, new = event.places
        moved = f"went from {old} to {new}" if old != new else f"stayed {new}"
        told = f"Its place among the waiting tasks of its class {moved}"
        return [f"{told}; that counts for all its attempts, until it is boosted or moved again."]
    standing = _standing(before, event)
    return [] if standing is None else [f"{standing}."]


def _standing(before: Sequence[Decision], event: TaskRekeyed) -> str | None:
    """Why it stood in no line then; None: it did, or nobody can say any more."""
    state, held, accepted = TaskState.NEW, False, None
    for each in before:
        state = next_state(state, type(each))
        held = isinstance(each, TaskHeld) or (held and not isinstance(each, TaskReleased))
        accepted = each if isinstance(each, TaskAccepted) else accepted
    if accepted is None:
        return None
    if state in _LATER:
        return _LATER[state]
    if held:
        return "It stood in no line, being held: that counts from its release on"
    if accepted.not_before is not None and accepted.not_before > event.at:
        return f"It stood in no line yet: that counts from {moment(accepted.not_before)} on"
    if accepted.awaits:
        return "That counts from when the tasks that it depends on have completed"
    return None


def _held(event: TaskHeld) -> list[str]:
    return [f"{clock(event.at)}: held by {event.by}: {event.reason}."]


def _released(event: TaskReleased) -> list[str]:
    return [f"{clock(event.at)}: released by {event.by}: {event.reason}."]


# Each entry takes the event type that it stands under; what was rekeyed is told with what was
# before.
STEERING_TELLERS: Final[Mapping[type[Decision], Callable[..., list[str]]]] = MappingProxyType(
    {TaskHeld: _held, TaskReleased: _released}
)
