"""A pool together with engines that go on working whatever the log believes of them.

Every decision is recorded and folded; `check` compares what the pool says with what really is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.commands import CancelTask, PrepareTask, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    AttemptFailed,
    AttemptLost,
    AttemptTimedOut,
    Decision,
    ModelRegistered,
    Residency,
    TaskHedged,
)
from pointsman.contracts.leases import DeviceHealth, DeviceOffer, Outcome, RunFailed
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.task_states import TERMINAL, TaskState
from pointsman.scheduler.domain.admission.preparation import decide_prepare
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.attachment import (
    decide_absent,
    decide_attach,
    decide_health,
    decide_return,
)
from pointsman.scheduler.domain.attempts.ends import MAX_LOST, decide_cancel, decide_report
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from tests.support.hedging import Attempt, check_hedge, hedged_events, told_by
from tests.support.influences import OTHERS
from tests.support.pool_copies import facts
from tests.support.pool_state import (
    check_batches,
    check_grant,
    check_slots,
    ended,
    is_live,
    state,
    state_of,
)
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    attach,
    folded,
    given,
    granted_events,
    model,
    offer,
    submission,
)

DEVICES: Final = {
    "executor-1": (
        offer("cpu-0", slots=2, variants=("best", "fast")),
        offer("gpu-0", slots=3, variants=("fast", "label"), max_batch=3),
    ),
    "executor-2": (offer("gpu-1", slots=1, variants=("best",), max_batch=4),),
}
EXECUTOR_OF: Final = {item.device: name for name, offers in DEVICES.items() for item in offers}
MODELS: Final = (
    model("best", quality=0.9, service_s=1.0),
    model("fast", quality=0.5, service_s=0.25),
    model("label", family="classify", quality=0.7, service_s=0.0),
)


class Simulation:
    """Commands in, decisions out; `now` is the wall clock, which may be set back."""

    refusals = frozenset({"shed"})
    """Codes with which a task may be refused."""

    def __init__(
        self,
        devices: Mapping[str, tuple[DeviceOffer, ...]] = DEVICES,
        models: Sequence[ModelRegistered] = MODELS,
    ) -> None:
        self.now = NOON
        self.elapsed = 0.0
        self.offers = devices
        self.executor_of = {each.device: name for name in devices for each in devices[name]}
        self.history = given(*models)
        self.accepted: list[UUID] = []
        self.granted: list[tuple[UUID, Attempt]] = []
        self.calls: dict[str, dict[tuple[UUID, int], float]] = {n: {} for n in self.executor_of}
        """Attempts that engines work on, by device, with the time at which each gives up."""
        self.batch_of: dict[tuple[UUID, int], str] = {}
        """The shared call of an attempt that has one."""
        self._incarnations: Counter[str] = Counter()
        for executor in devices:
            self.restart(executor)

    @property
    def pool(self) -> Pool:
        return self.history.pool

    def incarnation(self, executor: str) -> str:
        return f"{executor}-{self._incarnations[executor]}"

    # -- what happens --------------------------------------------------------------------------

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.elapsed += seconds
        for calls in self.calls.values():
            for key in [key for key, until in calls.items() if until <= self.elapsed]:
                del calls[key]

    def set_clock_back(self, seconds: float) -> None:
        self.now -= seconds

    def submit(
        self,
        family: str,
        priority_class: PriorityClass,
        *,
        deadline_in_s: float | None = None,
        max_attempts: int = 3,
        conversation: str | None = None,
        cache: bool = False,
        tenant: str = "acme",
    ) -> UUID | None:
        """The task, or None if it is refused now."""
        task = submission(
            tenant=tenant,
            family=family,
            priority_class=priority_class,
            deadline=None if deadline_in_s is None else self.now + deadline_in_s,
            max_attempts=max_attempts,
            conversation=conversation,
            cache=cache,
        )
        decided = decide_submit(self.pool, task, PAYLOAD, at=self.now)
        if isinstance(decided, Rejected):
            assert decided.code in self.refusals
            return None
        task_id = UUID(int=len(self.accepted) + 1)
        self.record(Decided(task_id, 0, (decided,), task.tenant))
        self.accepted.append(task_id)
        return task_id

    def round(self) -> list[Decided]:
        """Decide a round; another process that folds the log must decide the same."""
        decided = decide_round(self.pool, at=self.now)
        assert decided == decide_round(folded(self.history.entries), at=self.now)
        for item in decided:
            self.record(item)
        check_batches(granted_events(decided), self.history)
        for task, grant in granted_events(decided).items():
            check_grant(grant, self.history.of(task))
            if grant.batch is not None:
                self.batch_of[task, grant.attempt] = grant.batch.id
            self.begin(task, grant)
        for task, hedge in hedged_events(decided).items():
            assert len(decided) == 1
            check_hedge(task, hedge, self.history)
            self.begin(task, hedge)
        return decided

    def begin(self, task: UUID, grant: Attempt) -> None:
        """The engine works on an attempt."""
        self.granted.append((task, grant))
        gives_up = self.elapsed + grant.run_timeout_s
        self.calls[grant.device][task, grant.attempt] = gives_up

    def report(self, task: UUID, grant: Attempt, outcome: Outcome, *, draw: float = 0.5) -> bool:
        """The holder tells how an attempt ended; whether that changed anything."""
        lost = isinstance(outcome, RunFailed) and outcome.device_lost
        if not lost:
            self.calls[grant.device].pop((task, grant.attempt), None)
        told = told_by(grant, task, outcome)
        decided = decide_report(self.pool, told, at=self.now, draw=draw)
        live = is_live(self.history.of(task), grant.attempt)
        assert live or decided is None or decided.stream != task, "a report of an old attempt"
        return decided is not None and self.record(decided)

    def hears(self, event: Decision) -> None:
        """Another service has recorded something, at the present time."""
        self.history.append(OTHERS, msgspec.structs.replace(event, at=self.now))

    def prepare(self, command: PrepareTask) -> bool:
        """The context service is done with a task; whether that changed anything."""
        decided = decide_prepare(self.pool, command, at=self.now)
        return isinstance(decided, Decided) and self.record(decided)

    def cancel(self, task: UUID) -> bool:
        command = CancelTask(command_id="cancel", task=task, by="somebody")
        decided = decide_cancel(self.pool, command, at=self.now)
        return decided is not None and self.record(decided)

    def cancel_while_reported(self, task: UUID, grant: Attempt, outcome: Outcome) -> None:
        """Both decide on the same state; the second to be recorded has lost the race."""
        command = CancelTask(command_id="cancel", task=task, by="somebody")
        told = told_by(grant, task, outcome)
        ways = [
            decide_cancel(self.pool, command, at=self.now),
            decide_report(self.pool, told, at=self.now, draw=0.5),
        ]
        streams = [decided.stream for decided in ways if decided is not None]
        recorded = [self.history.record(decided) for decided in ways if decided is not None]
        assert recorded == ([True, False] if streams == [task, task] else [True] * len(streams))
        self.report(task, grant, outcome)

    def restart(self, executor: str) -> None:
        """A new incarnation; it says of each device whether it saw nothing in flight."""
        self._incarnations[executor] += 1
        self._attach(executor)

    def attach_again(self, executor: str) -> None:
        """The same command once more, with what was seen when the incarnation started."""
        self._attach(executor, quiescent=True)

    def falls_silent(self, executor: str) -> None:
        self.record_all(decide_absent(self.pool, executor, at=self.now))

    def is_heard_again(self, executor: str) -> None:
        incarnation = self.incarnation(executor)
        self.record_all(decide_return(self.pool, executor, incarnation, at=self.now))

    def health(self, device: str, *, healthy: bool) -> None:
        executor = self.executor_of[device]
        command = DeviceHealth(
            command_id="health",
            executor=executor,
            incarnation=self.incarnation(executor),
            device=device,
            healthy=healthy,
            reason="canary",
            quiescent=healthy and not self.calls[device],
            residency=self.residency_of(device),
        )
        decided = decide_health(self.pool, command, at=self.now)
        if decided is not None:
            self.record(decided)

    def residency_of(self, device: str) -> tuple[Residency, ...] | None:
        """What the engine says that it has loaded; None: it does not say."""
        del device
        return None

    def _attach(self, executor: str, *, quiescent: bool = False) -> None:
        offers = [
            msgspec.structs.replace(
                item,
                residency=self.residency_of(item.device) or item.residency,
                quiescent=quiescent or not self.calls[item.device],
            )
            for item in self.offers[executor]
        ]
        command = attach(*offers, executor=executor, incarnation=self.incarnation(executor))
        self.record_all(decide_attach(self.pool, command, at=self.now))

    # -- what must hold ------------------------------------------------------------------------

    def record(self, decided: Decided) -> bool:
        assert self.history.record(decided), "a decision on the newest state was refused"
        return True

    def record_all(self, decided: list[Decided]) -> None:
        for item in decided:
            self.record(item)

    def check(self) -> None:
        self._check_tasks()
        check_slots(self.pool, self.calls, self.batch_of)
        sample = sample_load(self.pool, at=self.now)
        held = sum(bool(task.held) for task in self.pool.tasks.values())
        load = sum(load.queued for load in sample.families)
        assert self.pool.queued - held <= load <= self.pool.queued
        again = folded(self.history.entries)
        assert state(self.pool, self.now) == state(again, self.now)
        assert facts(self.pool) == facts(again)

    def _check_tasks(self) -> None:
        queued = 0
        for task_id in self.accepted:
            history = self.history.of(task_id)
            now_in = state_of(history)
            ends = [event for event in history if ended(event)]
            assert len(ends) == (1 if now_in in TERMINAL else 0)
            assert (task_id in self.pool.tasks) == (now_in not in TERMINAL)
            queued += now_in is TaskState.QUEUED
            tried = [e for e in history if isinstance(e, AttemptFailed | AttemptTimedOut)]
            lost = [e for e in history if isinstance(e, AttemptLost)]
            hedges = [e for e in history if isinstance(e, TaskHedged)]
            assert len(hedges) <= 1
            assert len(tried) <= getattr(history[0], "max_attempts", 0) + len(hedges)
            assert len(lost) <= MAX_LOST
        assert self.pool.queued == queued
