"""A pool together with engines that go on working whatever the log believes of them.

Every decision is recorded and folded; `check` compares what the pool says with what really is.
"""

from collections import Counter
from collections.abc import Iterable
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
    TaskHedged,
)
from pointsman.contracts.leases import DeviceHealth, Outcome, RunFailed
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
from tests.support.pool_state import check_batches, check_grant, ended, state, state_of
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


class Simulation:
    """Commands in, decisions out; `now` is the wall clock, which may be set back."""

    def __init__(self) -> None:
        self.now = NOON
        self._elapsed = 0.0
        self.history = given(
            model("best", quality=0.9, service_s=1.0),
            model("fast", quality=0.5, service_s=0.25),
            model("label", family="classify", quality=0.7, service_s=0.0),
        )
        self.accepted: list[UUID] = []
        self.granted: list[tuple[UUID, Attempt]] = []
        self.calls: dict[str, dict[tuple[UUID, int], float]] = {name: {} for name in EXECUTOR_OF}
        """Attempts that engines work on, by device, with the time at which each gives up."""
        self.batch_of: dict[tuple[UUID, int], str] = {}
        """The shared call of an attempt that has one."""
        self._incarnations: Counter[str] = Counter()
        for executor in DEVICES:
            self.restart(executor)

    @property
    def pool(self) -> Pool:
        return self.history.pool

    def incarnation(self, executor: str) -> str:
        return f"{executor}-{self._incarnations[executor]}"

    # -- what happens --------------------------------------------------------------------------

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self._elapsed += seconds
        for calls in self.calls.values():
            for key in [key for key, until in calls.items() if until <= self._elapsed]:
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
    ) -> UUID | None:
        """The task, or None if its class is refused now."""
        task = submission(
            family=family,
            priority_class=priority_class,
            deadline=None if deadline_in_s is None else self.now + deadline_in_s,
            max_attempts=max_attempts,
            conversation=conversation,
            cache=cache,
        )
        decided = decide_submit(self.pool, task, PAYLOAD, at=self.now)
        if isinstance(decided, Rejected):
            assert decided.code == "shed"
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
            self._begin(task, grant)
        for task, hedge in hedged_events(decided).items():
            assert len(decided) == 1
            check_hedge(task, hedge, self.history)
            self._begin(task, hedge)
        return decided

    def _begin(self, task: UUID, grant: Attempt) -> None:
        self.granted.append((task, grant))
        gives_up = self._elapsed + grant.run_timeout_s
        self.calls[grant.device][task, grant.attempt] = gives_up

    def report(self, task: UUID, grant: Attempt, outcome: Outcome, *, draw: float = 0.5) -> bool:
        """The holder tells how an attempt ended; whether that changed anything."""
        lost = isinstance(outcome, RunFailed) and outcome.device_lost
        if not lost:
            self.calls[grant.device].pop((task, grant.attempt), None)
        told = told_by(grant, task, outcome)
        decided = decide_report(self.pool, told, at=self.now, draw=draw)
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
        executor = EXECUTOR_OF[device]
        command = DeviceHealth(
            command_id="health",
            executor=executor,
            incarnation=self.incarnation(executor),
            device=device,
            healthy=healthy,
            reason="canary",
            quiescent=healthy and not self.calls[device],
        )
        decided = decide_health(self.pool, command, at=self.now)
        if decided is not None:
            self.record(decided)

    def _attach(self, executor: str, *, quiescent: bool = False) -> None:
        offers = [
            offer(
                item.device,
                slots=item.slots,
                variants=tuple(loaded.variant for loaded in item.residency),
                quiescent=quiescent or not self.calls[item.device],
                max_batch=item.residency[0].max_batch,
            )
            for item in DEVICES[executor]
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
        self._check_slots()
        sample = sample_load(self.pool, at=self.now)
        assert sum(load.queued for load in sample.families) == self.pool.queued
        assert state(self.pool, self.now) == state(folded(self.history.entries), self.now)

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

    def _check_slots(self) -> None:
        leases = {
            (task.id, lease.attempt): lease.device
            for task in self.pool.tasks.values()
            for lease in task.leases
        }
        for name, device in self.pool.devices.items():
            assert set(device.held) == {key for key, where in leases.items() if where == name}
            assert not set(device.held) & set(device.suspect)
            assert device.occupied <= device.offer.slots
            assert set(self.calls[name]) <= set(device.held) | set(device.suspect)
            assert device.occupied == self._calls_of({*device.held, *device.suspect})
            assert self._calls_of(self.calls[name]) <= device.offer.slots
            for variant, slots in device.slots_of.items():
                mine = {
                    key
                    for taken in (device.held, device.suspect)
                    for key, slot in taken.items()
                    if slot.variant == variant
                }
                assert self._calls_of(mine) <= slots

    def _calls_of(self, attempts: Iterable[tuple[UUID, int]]) -> int:
        """Attempts that share a call take one slot."""
        return len({self.batch_of.get(key, key) for key in attempts})
