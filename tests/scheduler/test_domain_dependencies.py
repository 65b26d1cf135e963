"""Tasks that wait for other tasks, or for their time: whatever happens, each of them ends once."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman.contracts.commands import CancelTask, Rejected, SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskAccepted, TaskFailed, TaskGranted
from pointsman.contracts.leases import Outcome, RunCompleted, RunFailed
from pointsman.contracts.task_states import TERMINAL, TaskState
from pointsman.scheduler.domain.admission import decide_submit
from pointsman.scheduler.domain.attempts import decide_cancel, decide_report
from pointsman.scheduler.domain.dependencies import (
    DEPENDENCY_FAILED,
    FAILURES_PER_ROUND,
    REMEMBERED_ENDS,
    PastTask,
)
from pointsman.scheduler.domain.granting import decide_round
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.starting import MAX_AHEAD_S
from pointsman.scheduler.domain.waits import waits_for
from tests.support.pool_state import ended, state, state_of
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    RESULT,
    A,
    B,
    C,
    History,
    accepted,
    attached,
    folded,
    given,
    granted_events,
    model,
    report,
    submission,
)

DONE: Final = RunCompleted(result=RESULT, run_s=0.25)
BROKEN: Final = RunFailed(code="bad_output", message="wrong shape", retryable=False)
D: Final = UUID("019b7a3e-0000-7000-8000-00000000000d")


def depending(on: Sequence[UUID], *, not_before: float | None = None) -> SubmitTask:
    return msgspec.structs.replace(submission(), depends_on=tuple(on), not_before=not_before)


def submitted(history: History, task: UUID, *on: UUID, at: float = NOON) -> TaskAccepted:
    """A task that was accepted on the newest state."""
    event = decide_submit(history.pool, depending(on), PAYLOAD, at=at)
    assert isinstance(event, TaskAccepted)
    assert history.record(Decided(task, 0, (event,), "acme"))
    return event


def run(history: History, task: UUID, outcome: Outcome = DONE, *, at: float = NOON) -> None:
    """Grant whatever can be granted, then report the task."""
    history.round(at)
    lease = history.pool.tasks[task].lease
    assert lease is not None
    decided = decide_report(
        history.pool, report(task, lease.attempt, outcome), at=at + 0.25, draw=0.5
    )
    assert decided is not None
    assert history.record(decided)


def cancelled(history: History, task: UUID) -> None:
    command = CancelTask(command_id="cancel", task=task, by="ada")
    decided = decide_cancel(history.pool, command, at=NOON)
    assert decided is not None
    assert history.record(decided)


def a_pool(*, slots: int = 1) -> History:
    return given(model(), attached(slots=slots), (A, accepted()))


def test_a_task_is_queued_when_what_it_depends_on_has_completed() -> None:
    history = a_pool(slots=2)
    event = submitted(history, B, A)

    before = granted_events(history.round(NOON))
    run(history, A)
    after = granted_events(history.round(NOON + 1))

    assert (event.depends_on, event.awaits) == ((str(A),), (str(A),))
    assert (set(before), set(after)) == ({A}, {B})


def test_a_task_waits_for_the_last_of_several() -> None:
    history = given(model(), attached(slots=3), (A, accepted()), (B, accepted()))
    submitted(history, C, A, B)

    run(history, A)
    with_one_left = granted_events(history.round(NOON + 1))
    run(history, B)
    with_none_left = granted_events(history.round(NOON + 2))

    assert (set(with_one_left), set(with_none_left)) == (set(), {C})


def test_what_has_completed_already_is_waited_for_no_more() -> None:
    history = a_pool()
    run(history, A)

    event = submitted(history, B, A)

    assert (event.depends_on, event.awaits) == ((str(A),), ())
    assert set(granted_events(history.round(NOON + 1))) == {B}


@pytest.mark.parametrize("outcome", [BROKEN, None], ids=["failed", "cancelled"])
def test_a_task_fails_with_what_it_depends_on(outcome: Outcome | None) -> None:
    history = a_pool()
    submitted(history, B, A)

    if outcome is None:
        cancelled(history, A)
    else:
        run(history, A, outcome)
    history.round(NOON + 1)

    failed = history.of(B)[-1]
    assert isinstance(failed, TaskFailed)
    assert (failed.code, failed.attempts) == (DEPENDENCY_FAILED, 0)
    assert str(A) in failed.message
    assert history.pool.tasks == {}
    assert history.round(NOON + 2) == []


def test_a_chain_fails_one_link_per_round() -> None:
    history = a_pool()
    submitted(history, B, A)
    submitted(history, C, B)
    cancelled(history, A)

    first, second = history.round(NOON), history.round(NOON)

    assert ([d.stream for d in first], [d.stream for d in second]) == ([B], [C])


def test_a_round_ends_a_bounded_number_of_dependents() -> None:
    history = a_pool()
    for number in range(FAILURES_PER_ROUND + 1):
        submitted(history, UUID(int=number + 1), A)
    cancelled(history, A)

    assert len(history.round(NOON)) == FAILURES_PER_ROUND
    assert len(history.round(NOON)) == 1


@pytest.mark.parametrize(
    ("outcome", "code"), [(BROKEN, DEPENDENCY_FAILED), (None, "unknown_dependency")]
)
def test_what_can_never_run_is_refused(outcome: Outcome | None, code: str) -> None:
    history = a_pool()
    if outcome is not None:
        run(history, A, outcome)
    unknown = A if outcome is not None else B

    refused = decide_submit(history.pool, depending([unknown]), PAYLOAD, at=NOON)

    assert isinstance(refused, Rejected)
    assert (refused.code, str(unknown) in refused.message, bool(refused.next)) == (code, True, True)


def test_nothing_is_told_of_another_tenants_task() -> None:
    history = a_pool()
    other = msgspec.structs.replace(depending([A]), tenant="globex")

    of_another, of_nobody = (
        decide_submit(history.pool, task, PAYLOAD, at=NOON) for task in (other, depending([B]))
    )

    assert isinstance(of_another, Rejected)
    assert isinstance(of_nobody, Rejected)
    assert of_another.message.replace(str(A), str(B)) == of_nobody.message


@pytest.mark.parametrize(
    ("past", "code"),
    [
        (PastTask("acme", TaskState.COMPLETED), ""),
        (PastTask("acme", TaskState.SHED), DEPENDENCY_FAILED),
        (PastTask("acme", TaskState.QUEUED), "dependency_elsewhere"),
        (PastTask("globex", TaskState.COMPLETED), "unknown_dependency"),
    ],
)
def test_what_the_pool_has_forgotten_is_told_to_the_decision(past: PastTask, code: str) -> None:
    history = a_pool()

    decided = decide_submit(history.pool, depending([D]), PAYLOAD, at=NOON, past={D: past})

    assert (decided.code if isinstance(decided, Rejected) else "") == code
    assert history.pool.dependencies.unknown([A, D]) == [D]


def test_a_dependency_may_end_while_the_acceptance_is_on_its_way() -> None:
    for outcome, left in ((DONE, {B}), (BROKEN, set[UUID]())):
        history = a_pool()
        event = decide_submit(history.pool, depending([A]), PAYLOAD, at=NOON)
        assert isinstance(event, TaskAccepted)
        run(history, A, outcome)

        history.append(B, event)

        assert event.awaits == (str(A),)
        assert set(granted_events(history.round(NOON + 1))) == left
        assert history.pool.tasks.keys() == left


def test_the_latest_ends_are_remembered_and_no_more_than_twice_as_many() -> None:
    history = a_pool()
    for number in range(2 * REMEMBERED_ENDS):
        task = UUID(int=number + 1)
        history.append(task, accepted())
        cancelled(history, task)

    known = history.pool.dependencies
    assert len(known.latest) + len(known.earlier) <= 2 * REMEMBERED_ENDS
    assert known.unknown([UUID(int=2 * REMEMBERED_ENDS)]) == []
    assert known.unknown([UUID(int=REMEMBERED_ENDS + 2)]) == []


def test_a_dependent_whose_dependency_nobody_remembers_ends_all_the_same() -> None:
    history = a_pool()
    history.append(B, msgspec.structs.replace(accepted(), depends_on=(str(D),), awaits=(str(D),)))

    (decided,) = [d for d in history.round(NOON) if d.stream == B]

    (event,) = decided.events
    assert isinstance(event, TaskFailed)
    assert "not known" in event.message


def test_a_task_sleeps_until_its_time_and_is_counted_as_waiting() -> None:
    history = given(model(), attached())
    event = decide_submit(history.pool, depending([], not_before=NOON + 60), PAYLOAD, at=NOON)
    assert isinstance(event, TaskAccepted)
    history.append(A, event)

    early = history.round(NOON + 59.9)
    load = sample_load(history.pool, at=NOON)
    words = waits_for(history.pool, history.pool.tasks[A])
    due = history.pool.next_due(NOON)
    on_time = granted_events(history.round(NOON + 60))

    assert (early, set(on_time)) == ([], {A})
    assert (history.pool.queued, load.queued, load.families[0].queued) == (0, 1, 0)
    assert (due, words) == (NOON + 60, "its time, 2026-01-01 12:01:00 UTC")
    assert on_time[A].explanation.components.age_s == 0


def test_a_task_that_slept_stands_where_it_would_if_it_had_been_sent_then() -> None:
    history = given(model(), attached())

    slept = decide_submit(history.pool, depending([], not_before=NOON + 60), PAYLOAD, at=NOON)
    sent_then = decide_submit(history.pool, depending([]), PAYLOAD, at=NOON + 60)
    long_past = decide_submit(history.pool, depending([], not_before=NOON - 60), PAYLOAD, at=NOON)

    assert isinstance(slept, TaskAccepted)
    assert isinstance(sent_then, TaskAccepted)
    assert isinstance(long_past, TaskAccepted)
    assert slept.key == sent_then.key
    assert long_past.key == sent_then.key - 60


@pytest.mark.parametrize(
    ("ahead_s", "deadline_s", "code"),
    [
        (60.0, 60.0, "deadline_before_start"),
        (60.0, 30.0, "deadline_before_start"),
        (MAX_AHEAD_S + 1, None, "too_far_ahead"),
        (60.0, 61.0, ""),
        (-60.0, 30.0, ""),
    ],
)
def test_a_task_that_could_only_be_late_is_refused(
    ahead_s: float, deadline_s: float | None, code: str
) -> None:
    history = given(model(), attached())
    deadline = None if deadline_s is None else NOON + deadline_s
    task = msgspec.structs.replace(submission(), not_before=NOON + ahead_s, deadline=deadline)

    decided = decide_submit(history.pool, task, PAYLOAD, at=NOON)

    assert (decided.code if isinstance(decided, Rejected) else "") == code


def test_an_open_task_says_what_it_waits_for() -> None:
    history = given(model(), attached(), (A, accepted()), (B, accepted()))
    submitted(history, C, A, B)
    submitted(history, D, C)

    both = waits_for(history.pool, history.pool.tasks[C])
    cancelled(history, A)
    none = waits_for(history.pool, history.pool.tasks[C])

    assert both == f"task {A} and 1 more to complete"
    assert none == f"its end: it depends on task {A}, which was cancelled"


class DependencyMachine(RuleBasedStateMachine):
    """Submissions, ends and time in any order, some acceptances on their way for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.history = given(model(), attached(slots=2))
        self.now = self.latest = NOON
        self.accepted: list[UUID] = []
        self.on_its_way: list[tuple[UUID, TaskAccepted]] = []
        self.granted: list[tuple[UUID, TaskGranted]] = []

    @rule(
        picks=st.lists(st.integers(0, 30), max_size=3),
        after_s=st.none() | st.sampled_from([-1.0, 0.5, 30.0]),
        deadline_in_s=st.none() | st.sampled_from([20.0, 300.0]),
        at_once=st.booleans(),
    )
    def submit(
        self, picks: list[int], after_s: float | None, deadline_in_s: float | None, *, at_once: bool
    ) -> None:
        on = [self.accepted[pick % len(self.accepted)] for pick in picks if self.accepted]
        task = msgspec.structs.replace(
            depending(on, not_before=None if after_s is None else self.now + after_s),
            deadline=None if deadline_in_s is None else self.now + deadline_in_s,
        )
        unknown = self.history.pool.dependencies.unknown(task.depends_on)
        decided = decide_submit(
            self.history.pool,
            task,
            PAYLOAD,
            at=self.now,
            past={each: self.past(each) for each in unknown},
        )
        ends = {self.past(each).state for each in on} & TERMINAL
        if isinstance(decided, Rejected):
            late = deadline_in_s is not None and after_s is not None and after_s >= deadline_in_s
            assert late or (decided.code == DEPENDENCY_FAILED and ends - {TaskState.COMPLETED})
            return
        assert ends <= {TaskState.COMPLETED}
        new = UUID(int=1 + len(self.accepted) + len(self.on_its_way))
        self.on_its_way.append((new, decided))
        if at_once:
            self.commit()

    def past(self, task: UUID) -> PastTask:
        return PastTask("acme", state_of(self.history.of(task)))

    @precondition(lambda self: self.on_its_way)
    @rule()
    def commit(self) -> None:
        for task, event in self.on_its_way:
            self.history.append(task, event)
            self.accepted.append(task)
        self.on_its_way.clear()

    @rule()
    def round(self) -> None:
        again = decide_round(folded(self.history.entries), at=self.now)
        decided = self.history.round(self.now)
        assert decided == again
        for task, grant in granted_events(decided).items():
            first = self.history.of(task)[0]
            assert isinstance(first, TaskAccepted)
            states = {self.past(UUID(name)).state for name in first.depends_on}
            assert states <= {TaskState.COMPLETED}
            assert first.not_before is None or first.not_before <= self.now
            self.granted.append((task, grant))

    @precondition(lambda self: self.granted)
    @rule(outcome=st.sampled_from([DONE, DONE, DONE, BROKEN]))
    def report(self, outcome: Outcome) -> None:
        task, grant = self.granted.pop(0)
        told = report(task, grant.attempt, outcome)
        decided = decide_report(self.history.pool, told, at=self.now, draw=0.5)
        if decided is not None:
            assert self.history.record(decided)

    @precondition(lambda self: self.accepted)
    @rule(pick=st.integers(0, 30))
    def cancel(self, pick: int) -> None:
        command = CancelTask(
            command_id="cancel", task=self.accepted[pick % len(self.accepted)], by="ada"
        )
        decided = decide_cancel(self.history.pool, command, at=self.now)
        if decided is not None:
            assert self.history.record(decided)

    @rule(seconds=st.sampled_from([0.125, 1.0, 30.0, -5.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.latest = max(self.latest, self.now)

    @invariant()
    def the_log_folds_to_the_same(self) -> None:
        pool = self.history.pool
        # A clock that was set back queues nobody again who was queued already.
        assert state(pool, self.latest) == state(folded(self.history.entries), self.latest)
        open_tasks = {task for task in self.accepted if self.past(task).state not in TERMINAL}
        assert pool.tasks.keys() == open_tasks
        assert all(
            sum(ended(event) for event in self.history.of(task)) == (task not in open_tasks)
            for task in self.accepted
        )

    def teardown(self) -> None:
        """Whatever is open ends when everything that runs completes."""
        self.commit()
        for _ in range(4 * len(self.accepted) + 4):
            self.time_passes(30.0)
            self.round()
            while self.granted:
                self.report(DONE)
        assert self.history.pool.tasks == {}
        self.the_log_folds_to_the_same()


DependencyMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)
test_any_order = DependencyMachine.TestCase
