"""A task that has no terminal event yet."""

from dataclasses import dataclass
from sys import intern
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from pointsman.contracts.events import Decision, TaskAccepted, TaskGranted, TaskPrepared
from pointsman.contracts.events.tasks import BATCH_FAILED, EXECUTOR_CANCELLED, BatchPlace
from pointsman.contracts.message import BlobRef
from pointsman.contracts.task_states import TaskState, next_state

PREPARATION_S: Final = 2.0
"""How long a task waits for its context or a cached result before it runs without."""

CALL_ENDED: Final = frozenset({EXECUTOR_CANCELLED, BATCH_FAILED})
"""Reasons of a lost attempt whose call is known to have ended: its slot is free, nobody was taken
down."""

ClassId = tuple[str, tuple[str, ...]]
"""Queue class: family and admissible variants, best first."""


def attempt_name(task: UUID, attempt: int) -> str:
    """Names an attempt in one word; a batch has the name of the attempt that opened it."""
    return f"{task}/{attempt}"


class Words:
    """Words that many tasks have in common, held once: a task then takes half the memory."""

    def __init__(self) -> None:
        self._classes: dict[ClassId, ClassId] = {}

    def shared(self, accepted: TaskAccepted) -> TaskAccepted:
        """The same event with shared words."""
        class_id = (accepted.family, accepted.variants)
        family, variants = self._classes.setdefault(class_id, class_id)
        payload = accepted.payload
        return replace(
            accepted,
            pool=intern(accepted.pool),
            tenant=intern(accepted.tenant),
            family=family,
            variants=variants,
            source=intern(accepted.source),
            payload=replace(
                payload, media_type=intern(payload.media_type), shard=intern(payload.shard)
            ),
        )


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
    batch: BatchPlace | None = None

    @classmethod
    def of(cls, event: TaskGranted) -> "LiveLease":
        """What a grant gives."""
        return cls(
            attempt=event.attempt,
            executor=event.executor,
            incarnation=event.incarnation,
            device=event.device,
            variant=event.variant,
            granted_at=event.at,
            run_timeout_s=event.run_timeout_s,
            batch=event.batch,
        )

    def counts_for(self, task: UUID) -> int:
        """Tasks of the call that is measured by this attempt.

        A shared one counts for the attempt that opened it, and not at all for the others.
        """
        if self.batch is None:
            return 1
        return self.batch.size if self.batch.id == attempt_name(task, self.attempt) else 0


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
    alone: bool = False
    """Shares no call any more: an attempt of it ended badly, which must not hit others."""
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
