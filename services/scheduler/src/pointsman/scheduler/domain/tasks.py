"""A task that has no terminal event yet."""

from dataclasses import dataclass, field
from sys import intern
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from pointsman.contracts.events import (
    Decision,
    PartsGranted,
    TaskAccepted,
    TaskCheckpointed,
    TaskGranted,
    TaskHedged,
    TaskPrepared,
    TaskRekeyed,
)
from pointsman.contracts.events.attempt_ends import BATCH_FAILED, EXECUTOR_CANCELLED
from pointsman.contracts.events.tasks import BatchPlace
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.contracts.parts import PartsWork, SplitPlan
from pointsman.contracts.task_states import TaskState, next_state
from pointsman.scheduler.domain.parts.results import PartResults

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
    """What many tasks have in common, held once: a task then takes half the memory."""

    def __init__(self) -> None:
        self._classes: dict[ClassId, ClassId] = {}

    def share(self, task: "OpenTask") -> None:
        """Have a task hold the words of those before it."""
        accepted = task.accepted
        class_id = task.class_id = self._classes.setdefault(task.class_id, task.class_id)
        family, variants = class_id
        payload = accepted.payload
        task.accepted = replace(
            accepted,
            pool=intern(accepted.pool),
            tenant=intern(accepted.tenant),
            family=family,
            variants=variants,
            source=intern(accepted.source),
            # For whoever asks why; nothing that is decided later looks at them.
            judged=None,
            route=None,
            payload=replace(
                payload, media_type=intern(payload.media_type), shard=intern(payload.shard)
            ),
        )


class LiveLease(Struct, frozen=True):
    """Who runs the current attempt."""

    attempt: int
    executor: str
    incarnation: str
    device: str
    variant: str
    granted_at: float
    run_timeout_s: float
    batch: BatchPlace | None = None
    charged_s: float = 0.0
    """Device-seconds that its tenant was charged in advance."""
    checkpoint: TaskCheckpointed | None = None
    """Where it began; None: at the beginning."""
    work: PartsWork | None = None
    """What is done with the whole task, on no device; None: it runs."""
    hedge: bool = False
    """It was granted beside another."""

    @classmethod
    def of(
        cls,
        event: TaskGranted | TaskHedged,
        charged_s: float = 0.0,
        checkpoint: TaskCheckpointed | None = None,
    ) -> "LiveLease":
        """What a grant gives."""
        return cls(
            attempt=event.attempt,
            executor=event.executor,
            incarnation=event.incarnation,
            device=event.device,
            variant=event.variant,
            granted_at=event.at,
            run_timeout_s=event.run_timeout_s,
            batch=event.batch if isinstance(event, TaskGranted) else None,
            charged_s=charged_s,
            checkpoint=checkpoint,
            hedge=isinstance(event, TaskHedged),
        )

    @classmethod
    def of_work(cls, event: PartsGranted) -> "LiveLease":
        """What a grant to cut or to merge gives."""
        return cls(
            attempt=event.attempt,
            executor=event.executor,
            incarnation=event.incarnation,
            device="",
            variant="",
            granted_at=event.at,
            run_timeout_s=event.timeout_s,
            work=event.work,
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
    crashes: int = 0
    """Times that a device went away which ran nothing else, since it last told where it stood."""
    retry_at: float = 0.0
    alone: bool = False
    """Shares no call any more: an attempt of it ended badly, which must not hit others."""
    lease: LiveLease | None = None
    hedge: LiveLease | None = None
    """Of a second attempt, beside `lease`."""
    hedges: int = 0
    """Attempts that were granted beside another."""
    prepared: TaskPrepared | None = None
    estimated_s: float = 0.0
    """The run time that was expected at its acceptance; 0: none was."""
    woken: bool = False
    """Its moment has come, also where a clock was set back since."""
    key: float = 0.0
    """Its virtual deadline; does not change while it stands in a queue."""
    held: str = ""
    """Who holds it back; nobody if empty."""
    rekeyed: TaskRekeyed | None = None
    """What an operator last made of its place in the order."""
    awaits: frozenset[UUID] = frozenset()
    """Tasks that have to be completed before it may run."""
    checkpoint: TaskCheckpointed | None = None
    """Where it stood, as it last told."""
    unmet: str = ""
    """Which task that it depends on did not complete, and how; none if empty."""
    plan: SplitPlan | None = None
    """How its input is to be cut; None: it runs as a whole."""
    parts: PartResults | None = None
    """What its input was cut into; None: it was not."""
    tried: int = 0
    """Attempts that counted for what is done: runs, cuts and merges have some of their own."""
    tenant: str = field(init=False, compare=False)
    """On whose behalf; asked for a dozen times per event."""
    number: int = field(init=False, compare=False)
    """As the order asks for it: unique, and larger for what was accepted later."""
    class_id: ClassId = field(init=False, compare=False)
    """The queue that it waits in."""

    def __post_init__(self) -> None:
        accepted = self.accepted
        self.key = self.key or accepted.key
        self.plan = self.plan or accepted.split
        self.tenant = accepted.tenant
        self.number = self.position
        self.class_id = (accepted.family, accepted.variants)
        needs_preparation = self.needs_preparation
        if needs_preparation or accepted.not_before is not None:
            patience_s = PREPARATION_S if needs_preparation else 0.0
            self.retry_at = max(accepted.at + patience_s, accepted.not_before or 0.0)

    def __hash__(self) -> int:
        return self.position

    @property
    def priority_class(self) -> PriorityClass:
        """The class that its key comes from."""
        return self.accepted.priority_class if self.rekeyed is None else self.rekeyed.priority_class

    @property
    def boost_s(self) -> float:
        """How much earlier it is due than its class says."""
        return self.accepted.boost_s if self.rekeyed is None else self.rekeyed.boost_s

    @property
    def arrival(self) -> float:
        """When it was accepted, or the time before which it may not run if that is later."""
        return max(self.accepted.at, self.accepted.not_before or 0.0)

    @property
    def deadline(self) -> float | None:
        """When its result is of no use any more."""
        return self.accepted.deadline

    @property
    def strict(self) -> bool:
        """Whether the deadline counts as missed where the p99 of a run would miss it."""
        return self.accepted.strict

    @property
    def needs_preparation(self) -> bool:
        """Whether somebody else may change what it runs on, or answer it from a cache."""
        return self.accepted.conversation is not None or self.accepted.cache

    @property
    def at_desk(self) -> bool:
        """Whether it waits for an executor and no device: to be cut, or its parts have ended."""
        if self.plan is None and self.parts is None:
            return False
        if self.state is TaskState.SPLIT:
            return self.lease is None and self.parts is not None and self.parts.complete
        return self.state is TaskState.QUEUED and self.plan is not None

    @property
    def tries(self) -> int:
        """Attempts that count for what it waits for: no lost ones, and none of what is done.

        No hedges either: nobody asked for those.
        """
        return self.attempts - self.hedges - self.lost - self.tried

    @property
    def leases(self) -> tuple[LiveLease, ...]:
        """Of its live attempts."""
        if self.lease is None:
            return ()
        return (self.lease,) if self.hedge is None else (self.lease, self.hedge)

    def lease_of(self, attempt: int) -> LiveLease | None:
        """The lease of an attempt, if it is live."""
        for lease in (self.lease, self.hedge):
            if lease is not None and lease.attempt == attempt:
                return lease
        return None

    def drop(self, attempt: int) -> LiveLease | None:
        """Of two live attempts one has ended; its lease, and the other's is the task's."""
        lease = self.lease_of(attempt)
        if lease is self.lease:
            self.lease = self.hedge
        self.hedge = None
        return lease

    @property
    def payload(self) -> BlobRef:
        """What its attempts run on."""
        given = self.prepared.payload if self.prepared is not None else None
        return given or self.accepted.payload

    def checkpoint_for(self, variant: str) -> TaskCheckpointed | None:
        """Where an attempt with a variant may begin; another variant makes nothing of it."""
        checkpoint = self.checkpoint
        return checkpoint if checkpoint is not None and checkpoint.variant == variant else None

    def checkpointed(self, version: int, event: TaskCheckpointed) -> None:
        """Its running attempt has told where it stands."""
        self.take(event, version)
        self.checkpoint, self.crashes = event, 0

    def take(self, event: Decision, version: int) -> None:
        """Move along the transition table; raises `IllegalTransitionError`."""
        self.state = next_state(self.state, type(event))
        self.version = version
