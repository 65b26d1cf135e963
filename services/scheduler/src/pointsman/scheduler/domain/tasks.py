"""A task that has no terminal event yet."""

from dataclasses import dataclass
from uuid import UUID

from pointsman.contracts.events import Decision, TaskAccepted
from pointsman.contracts.task_states import TaskState, next_state

ClassId = tuple[str, tuple[str, ...]]
"""Queue class: family and admissible variants, best first."""


@dataclass(frozen=True, slots=True)
class LiveLease:
    """Who runs the current attempt."""

    attempt: int
    executor: str
    incarnation: str
    device: str
    variant: str
    granted_at: float
    run_timeout_s: float


@dataclass(slots=True)
class OpenTask:
    """What the leader remembers of a task between its acceptance and its terminal event."""

    id: UUID
    accepted: TaskAccepted
    position: int
    """Of `task.accepted`; breaks ties between equal keys."""
    version: int = 1
    state: TaskState = TaskState.QUEUED
    attempts: int = 0
    timed_out: int = 0
    lost: int = 0
    """Attempts that ended because a holder or device went away."""
    taken_down: int = 0
    """Those of them whose holder or device was not stopped in order."""
    retry_at: float = 0.0
    lease: LiveLease | None = None

    @property
    def class_id(self) -> ClassId:
        """The queue that it waits in."""
        return self.accepted.family, self.accepted.variants

    def take(self, event: Decision, version: int) -> None:
        """Move along the transition table; raises `IllegalTransitionError`."""
        self.state = next_state(self.state, type(event))
        self.version = version
