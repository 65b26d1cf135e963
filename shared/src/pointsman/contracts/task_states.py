"""The life of a task as a table; ARCHITECTURE.md's diagram is generated from it.

A task starts with `task.accepted`. `running` is telemetry and has no state of its own: a granted
attempt runs from acceptance by its holder on. Retry is the way back from granted to queued, one
attempt later. Terminal states have no way out, so a task gets exactly one terminal event; a
rerun is a new task with a causation id. A pair that is not listed must never be appended.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pointsman.contracts import events
from pointsman.contracts.events import Decision


class TaskState(StrEnum):
    """Where a task stands after the events of its stream."""

    NEW = "new"
    QUEUED = "queued"
    GRANTED = "granted"
    SPLIT = "split"
    """Its input was cut: its parts run, or their results are being merged."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SHED = "shed"
    ABANDONED = "abandoned"


TERMINAL: Final = frozenset(
    {
        TaskState.COMPLETED,
        TaskState.FAILED,
        TaskState.CANCELLED,
        TaskState.EXPIRED,
        TaskState.SHED,
        TaskState.ABANDONED,
    }
)

# Of a granted task they are for its next attempt; the running one goes on.
_STEERED: Final = (events.TaskHeld, events.TaskReleased, events.TaskRekeyed)

_ENDS: Final[Mapping[type[Decision], TaskState]] = MappingProxyType(
    {
        events.TaskFailed: TaskState.FAILED,
        events.TaskCancelled: TaskState.CANCELLED,
        events.TaskExpired: TaskState.EXPIRED,
        events.TaskShed: TaskState.SHED,
        events.TaskAbandoned: TaskState.ABANDONED,
    }
)

WITHOUT_RESULT: Final = frozenset(_ENDS)
"""Events that end a task without a result."""

TRANSITIONS: Final[Mapping[tuple[TaskState, type[Decision]], TaskState]] = MappingProxyType(
    {
        (TaskState.NEW, events.TaskAccepted): TaskState.QUEUED,
        (TaskState.QUEUED, events.TaskPrepared): TaskState.QUEUED,
        (TaskState.QUEUED, events.SplitPlanned): TaskState.QUEUED,
        (TaskState.QUEUED, events.TaskGranted): TaskState.GRANTED,
        # Only with the result of an identical task: nothing was run.
        (TaskState.QUEUED, events.TaskCompleted): TaskState.COMPLETED,
        (TaskState.GRANTED, events.TaskCheckpointed): TaskState.GRANTED,
        # A second attempt beside the first, and the end of either while the other goes on.
        (TaskState.GRANTED, events.TaskHedged): TaskState.GRANTED,
        (TaskState.GRANTED, events.AttemptDropped): TaskState.GRANTED,
        (TaskState.GRANTED, events.TaskCompleted): TaskState.COMPLETED,
        (TaskState.GRANTED, events.AttemptFailed): TaskState.QUEUED,
        (TaskState.GRANTED, events.AttemptTimedOut): TaskState.QUEUED,
        (TaskState.GRANTED, events.AttemptLost): TaskState.QUEUED,
        # A lease to cut an input is an attempt like another; one to merge results leaves the task
        # where it is, and so does its loss: what was cut is not cut again.
        (TaskState.QUEUED, events.PartsGranted): TaskState.GRANTED,
        (TaskState.GRANTED, events.TaskSplit): TaskState.SPLIT,
        (TaskState.SPLIT, events.PartsGranted): TaskState.SPLIT,
        (TaskState.SPLIT, events.AttemptFailed): TaskState.SPLIT,
        (TaskState.SPLIT, events.AttemptTimedOut): TaskState.SPLIT,
        (TaskState.SPLIT, events.AttemptLost): TaskState.SPLIT,
        (TaskState.SPLIT, events.TaskCompleted): TaskState.COMPLETED,
        **{
            (state, event): state
            for state in (TaskState.QUEUED, TaskState.GRANTED, TaskState.SPLIT)
            for event in _STEERED
        },
        **{
            (state, event): end
            for state in (TaskState.QUEUED, TaskState.GRANTED, TaskState.SPLIT)
            for event, end in _ENDS.items()
        },
    }
)


class IllegalTransitionError(Exception):
    """An event that the table does not allow in this state; a defect of its writer."""

    code = "illegal_transition"

    def __init__(self, state: TaskState, event: type[Decision]) -> None:
        super().__init__(f"a task that is {state} cannot take {event.__name__}")
        self.state = state
        self.event = event


def next_state(state: TaskState, event: type[Decision]) -> TaskState:
    """The state after an event; raises `IllegalTransitionError`."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransitionError(state, event) from None


def diagram() -> str:
    """The table as a Mermaid state diagram, one arrow per pair of states."""
    arrows: dict[tuple[TaskState, TaskState], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(event.__name__)
    lines = ["stateDiagram-v2", f"    [*] --> {TaskState.NEW}"]
    lines += [f"    {a} --> {b}: {', '.join(names)}" for (a, b), names in arrows.items()]
    lines += [f"    {state} --> [*]" for state in TaskState if state in TERMINAL]
    return "\n".join(lines) + "\n"
