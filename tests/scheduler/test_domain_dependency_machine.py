"""Dependencies, times and ends in any order: whatever happens, each task ends once."""

from uuid import UUID

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman.contracts.commands import CancelTask, Rejected
from pointsman.contracts.events import TaskAccepted, TaskGranted
from pointsman.contracts.leases import Outcome, RunCompleted, RunFailed
from pointsman.contracts.task_states import TERMINAL, TaskState
from pointsman.scheduler.domain.admission.dependencies import DEPENDENCY_FAILED, PastTask
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.rounds.granting import decide_round
from tests.support.pool_state import ended, state, state_of
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    RESULT,
    attached,
    folded,
    given,
    granted_events,
    model,
    report,
    submission,
)

DONE = RunCompleted(result=RESULT, run_s=0.25)
BROKEN = RunFailed(code="bad_output", message="wrong shape", retryable=False)


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
            submission(),
            depends_on=tuple(on),
            not_before=None if after_s is None else self.now + after_s,
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
