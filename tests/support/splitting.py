"""A pool whose tasks are too long for one call, and the executors that cut, run and merge them."""

from collections import Counter
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts import events
from pointsman.contracts.commands import CancelTask, Done, Rejected, SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    Decision,
    PartsGranted,
    TaskAccepted,
    TaskCompleted,
    TaskGranted,
    TaskSplit,
)
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    Outcome,
    RunCompleted,
    RunSplit,
)
from pointsman.contracts.message import BlobRef, Degradation, PriorityClass
from pointsman.contracts.parts import Merge, PartsWork
from pointsman.contracts.steering import HoldTask, ReleaseTask
from pointsman.contracts.streams import part_id
from pointsman.contracts.task_states import TERMINAL
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.attachment import decide_absent, decide_attach, decide_return
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.steering.tasks import decide_task_steering
from tests.support.pool_copies import copied, facts
from tests.support.pool_state import state_of
from tests.support.scheduling import NOON, RESULT, History, attach, folded, given, model, offer

LIMIT: Final = 100
EXECUTORS: Final = ("executor-1", "executor-2")

Granted = TaskGranted | PartsGranted


def limited(
    variant: str = "fast",
    *,
    quality: float = 0.5,
    limit: int = LIMIT,
    merge: Merge | None = Merge.JOIN,
) -> events.ModelRegistered:
    """A variant that takes no input beyond a limit."""
    known = model(variant, quality=quality)
    return msgspec.structs.replace(known, max_input_bytes=limit, merge=merge)


def input_of(size: int) -> BlobRef:
    return BlobRef(digest="ab" * 32, size=size, media_type="text/plain", shard="scheduler")


def parts_of(count: int) -> RunSplit:
    """What an executor reports that has cut an input."""
    return RunSplit(parts=tuple(input_of(90 + number) for number in range(count)))


def merged() -> RunCompleted:
    return RunCompleted(result=RESULT, run_s=0.0)


class Splitting:
    """Commands in, decisions out; `now` is the wall clock."""

    def __init__(self, *registered: events.ModelRegistered) -> None:
        self.now = NOON
        self.history: History = given(*(registered or (limited(),)))
        self.wholes: list[UUID] = []
        self.granted: list[tuple[UUID, Granted]] = []
        self._submitted = 0
        self._incarnations: Counter[str] = Counter()
        for executor in EXECUTORS:
            self.restart(executor)
        self._set_up = len(self.history.entries)

    @property
    def pool(self) -> Pool:
        return self.history.pool

    # -- what happens --------------------------------------------------------------------------

    def submit(
        self,
        size: int,
        *,
        degradation: Degradation | None = Degradation.SPLIT,
        deadline_in_s: float | None = None,
        max_attempts: int = 3,
        priority_class: PriorityClass = PriorityClass.STANDARD,
    ) -> UUID:
        task = SubmitTask(
            command_id=f"order-{self._submitted}",
            tenant="acme",
            family="summarize",
            payload=b"",
            degradation=degradation,
            deadline=None if deadline_in_s is None else self.now + deadline_in_s,
            max_attempts=max_attempts,
            priority_class=priority_class,
        )
        accepted = decide_submit(self.pool, task, input_of(size), at=self.now)
        assert not isinstance(accepted, Rejected), accepted
        self._submitted += 1
        task_id = UUID(int=self._submitted)
        self.record(Decided(task_id, 0, (accepted,), "acme"))
        if accepted.split is not None:
            self.wholes.append(task_id)
        return task_id

    def round(self) -> list[Decided]:
        """Decide a round; another process that folds the log must decide the same."""
        decided = decide_round(self.pool, at=self.now)
        assert decided == decide_round(folded(self.history.entries), at=self.now)
        assert decided == decide_round(copied(self.pool), at=self.now)
        for item in decided:
            self.record(item)
            for event in item.events:
                if isinstance(event, TaskGranted | PartsGranted):
                    self.granted.append((item.stream, event))
        return decided

    def report(self, task: UUID, granted: Granted, outcome: Outcome) -> bool:
        """The holder tells how an attempt ended; whether that changed anything."""
        told = AttemptReport(
            executor=granted.executor,
            incarnation=granted.incarnation,
            device=granted.device if isinstance(granted, TaskGranted) else "",
            task=task,
            attempt=granted.attempt,
            outcome=outcome,
        )
        decided = decide_report(self.pool, told, at=self.now, draw=0.5)
        return decided is not None and self.record(decided)

    def works(self, parts: int = 3) -> None:
        """All that was granted is done."""
        for task, granted in list(self.granted):
            self.report(task, granted, done(granted, parts))

    def cancel(self, task: UUID) -> bool:
        command = CancelTask(command_id="cancel", task=task, by="somebody")
        decided = decide_cancel(self.pool, command, at=self.now)
        return decided is not None and self.record(decided)

    def steer(self, command: HoldTask | ReleaseTask) -> None:
        agreed = decide_task_steering(self.pool, command, at=self.now)
        if not isinstance(agreed, Rejected | Done):
            self.record(agreed.decided)

    def restart(self, executor: str) -> None:
        self._incarnations[executor] += 1
        self.record_all(decide_attach(self.pool, self._attach(executor), at=self.now))

    def falls_silent(self, executor: str) -> None:
        self.record_all(decide_absent(self.pool, executor, at=self.now))

    def is_heard_again(self, executor: str) -> None:
        incarnation = self._incarnation(executor)
        self.record_all(decide_return(self.pool, executor, incarnation, at=self.now))

    def loses_the_end(self, entries: int) -> None:
        """The log is restored to an earlier moment, wherever that is in a commit."""
        kept = self.history.entries[: max(self._set_up, len(self.history.entries) - entries)]
        self.history = History()
        for entry in kept:
            self.history.append(entry.stream, entry.event)

    def ends(self) -> None:
        """Everybody works until nothing is left to do."""
        for whole in self.wholes:
            self.steer(ReleaseTask(command_id="release", task=whole, by="ada", reason="over"))
        for executor in EXECUTORS:
            self.restart(executor)
        for _ in range(60):
            if not self.pool.tasks:
                break
            self.now += 31
            self.granted.clear()
            self.round()
            self.works()
        assert self.pool.tasks == {}

    def _incarnation(self, executor: str) -> str:
        return f"{executor}-{self._incarnations[executor]}"

    def _attach(self, executor: str) -> AttachExecutor:
        device = f"device-of-{executor}"
        return attach(
            offer(device, slots=2, variants=("fast",), quiescent=True),
            executor=executor,
            incarnation=self._incarnation(executor),
        )

    # -- what must hold ------------------------------------------------------------------------

    def record(self, decided: Decided) -> bool:
        assert self.history.record(decided), "a decision on the newest state was refused"
        return True

    def record_all(self, decided: list[Decided]) -> None:
        for item in decided:
            self.record(item)

    def check(self) -> None:
        """Whoever folds the log or reads the snapshot knows the same; wholes and parts agree."""
        assert facts(self.pool) == facts(folded(self.history.entries))
        assert facts(copied(self.pool)) == facts(self.pool)
        for whole in self.wholes:
            history = self.history.of(whole)
            if history:
                self._check(whole, history)

    def _check(self, whole: UUID, history: list[Decision]) -> None:
        ends = [event for event in history if type(event) in _ENDS]
        ended = state_of(history) in TERMINAL
        cuts = [event for event in history if isinstance(event, TaskSplit)]
        assert len(ends) == ended
        assert len(cuts) <= 1
        assert (whole in self.pool.tasks) != ended
        for event in ends:
            if isinstance(event, TaskCompleted):
                self._check_result(whole, cuts[0], event)
        for number, part in enumerate(cuts[0].parts if cuts else (), start=1):
            accepted = self.history.of(part_id(whole, number))[:1]
            for event in accepted:
                assert isinstance(event, TaskAccepted)
                assert (event.payload, event.parent, event.part) == (part, str(whole), number)

    def _check_result(self, whole: UUID, cut: TaskSplit, completed: TaskCompleted) -> None:
        """It says of each part how it ended."""
        outcome = completed.parts
        assert outcome is not None
        assert outcome.done
        told = {*outcome.done, *(failed.part for failed in outcome.failed)}
        assert told == set(range(1, len(cut.parts) + 1))
        for number in told:
            last = self.history.of(part_id(whole, number))[-1]
            assert isinstance(last, TaskCompleted) == (number in outcome.done)

    def ends_of(self, task: UUID) -> Iterator[Decision]:
        return (event for event in self.history.of(task) if type(event) in _ENDS)


def done(granted: Granted, parts: int) -> Outcome:
    """The outcome of an attempt that went well."""
    if isinstance(granted, PartsGranted):
        return parts_of(parts) if granted.work is PartsWork.SPLIT else merged()
    return RunCompleted(result=RESULT, run_s=0.25)


_ENDS: Final = frozenset(
    {
        events.TaskCompleted,
        events.TaskFailed,
        events.TaskCancelled,
        events.TaskExpired,
        events.TaskShed,
        events.TaskAbandoned,
    }
)


def live(world: Splitting, task: UUID) -> Granted:
    """The grant of the live attempt of a task."""
    attempt = world.pool.tasks[task].attempts
    return next(g for t, g in reversed(world.granted) if (t, g.attempt) == (task, attempt))


def cut(
    world: Splitting,
    parts: int = 3,
    *,
    deadline_in_s: float | None = None,
    max_attempts: int = 3,
) -> tuple[UUID, list[UUID]]:
    """A whole whose parts have been accepted, and they."""
    whole = world.submit(5 * LIMIT, deadline_in_s=deadline_in_s, max_attempts=max_attempts)
    world.round()
    world.report(whole, live(world, whole), parts_of(parts))
    return whole, [part_id(whole, number) for number in range(1, parts + 1)]
