"""A task that has no terminal event yet."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pointsman.contracts.events import Decision, TaskAccepted, TaskPrepared
from pointsman.contracts.message import BlobRef
from pointsman.contracts.task_states import TaskState, next_state

PREPARATION_S: Final = 2.0
"""How long a task waits for its context or a cached result before it runs without."""

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
    prepared: TaskPrepared | None = None

    def __post_init__(self) -> None:
        if self.needs_preparation:
            self.retry_at = self.accepted.at + PREPARATION_S

    @property
    def needs_preparation(self) -> bool:
        """Whether somebody else may change what it runs on, or answer it from a cache."""
        return self.accepted.conversation is not None or self.accepted.cache

    @property
    def payload(self) -> BlobRef:
        """What its attempts run on."""
        given = self.prepared.payload if self.prepared is not None else None
        return given or self.accepted.payload

    @property
    def class_id(self) -> ClassId:
        """The queue that it waits in."""
        return self.accepted.family, self.accepted.variants

    def take(self, event: Decision, version: int) -> None:
        """Move along the transition table; raises `IllegalTransitionError`."""
        self.state = next_state(self.state, type(event))
        self.version = version
