"""When a task waited for its next attempt, from its events alone."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.task_states import WITHOUT_RESULT

_TAKEN: Final = (
    events.TaskGranted,
    events.PartsGranted,
    events.TaskCompleted,
    *WITHOUT_RESULT,
)


class Wait(NamedTuple):
    """A time in which a task could have been granted, as far as it alone goes."""

    ended_by: int
    """Index of the event that ended it; the number of events if it goes on."""
    since: float
    until: float | None
    """None: it goes on."""


def waits_of(history: Sequence[Decision], free_at: float = 0.0) -> list[Wait]:
    """All of them, in order.

    What its sender, other tasks (until `free_at`), a retry delay or an operator's hold kept it from
    is no part of them: its own events tell of that.
    """
    waits: list[Wait] = []
    ready: float | None = None
    held = False
    for index, event in enumerate(history):
        over = isinstance(event, (*_TAKEN, events.TaskHeld))
        if over and ready is not None and not held:
            waits.append(Wait(index, ready, max(ready, event.at)))
        if isinstance(event, events.TaskHeld):
            held = True
        elif isinstance(event, events.TaskReleased):
            held, ready = False, None if ready is None else max(ready, event.at)
        elif over:
            ready = None
        else:
            ready = _ready_at(event, free_at) or ready
    if ready is not None and not held:
        waits.append(Wait(len(history), ready, None))
    return waits


def _ready_at(event: Decision, free_at: float) -> float | None:
    """From when a task waits that an event has sent to wait."""
    match event:
        case events.TaskAccepted():
            return max(event.at, event.not_before or 0.0, free_at)
        case events.AttemptFailed() | events.AttemptTimedOut():
            return max(event.at, event.retry_at)
        case events.AttemptLost():
            return event.at
        case _:
            return None
