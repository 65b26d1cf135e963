"""What operators did to a task, in sentences."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.contracts.events import Decision, RekeyKind, TaskHeld, TaskRekeyed, TaskReleased
from pointsman.policy.order import WINDOWS
from pointsman.scheduler.domain.why.words import clock, span


def _held(event: TaskHeld) -> list[str]:
    return [f"{clock(event.at)}: held by {event.by}: {event.reason}."]


def _released(event: TaskReleased) -> list[str]:
    return [f"{clock(event.at)}: released by {event.by}: {event.reason}."]


def _rekeyed(event: TaskRekeyed) -> list[str]:
    what = f"moved to {event.priority_class} work"
    if event.kind is RekeyKind.BOOST:
        what = f"made due {span(event.boost_s)} earlier" if event.boost_s else "boosted no more"
    window = WINDOWS[event.priority_class]
    due_s = window.due_s if event.due_s is None else event.due_s
    floor_s = window.floor_s if event.floor_s is None else event.floor_s
    due = (
        f"It is due to start by {clock(event.key)}, in the window of {event.priority_class} work: "
        f"{span(due_s)} from its arrival, not before {span(floor_s)}."
    )
    return [f"{clock(event.at)}: {what} by {event.by}: {event.reason}.", due]


# Each entry takes the event type that it stands under.
STEERING_TELLERS: Final[Mapping[type[Decision], Callable[..., list[str]]]] = MappingProxyType(
    {TaskHeld: _held, TaskReleased: _released, TaskRekeyed: _rekeyed}
)
