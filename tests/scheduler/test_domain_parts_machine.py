"""Random histories of tasks in parts: whatever happens to the parts, every whole ends once."""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman.contracts.leases import Outcome, RunCancelled, RunFailed, RunTimedOut
from pointsman.contracts.message import Degradation
from pointsman.contracts.steering import HoldTask, ReleaseTask
from tests.support.splitting import EXECUTORS, Splitting, done, limited

LIMIT: Final = 8192
PICKS: Final = st.integers(0, 99)
ILL: Final = st.sampled_from(
    [
        RunFailed(code="not_divisible", message="no text", retryable=False),
        RunFailed(code="out_of_memory", message="too large", retryable=False),
        RunFailed(code="unavailable", message="refused", retryable=True),
        RunFailed(code="unavailable", message="gone", retryable=True, device_lost=True),
        RunTimedOut(run_s=2.0),
        RunCancelled(),
    ]
)


class PartsMachine(RuleBasedStateMachine):
    """Commands, reports, crashes and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Splitting(limited(limit=LIMIT))

    @rule(
        size=st.sampled_from([LIMIT, LIMIT + 1, 5 * LIMIT]),
        degradation=st.sampled_from([Degradation.SPLIT, None]),
        deadline_in_s=st.none() | st.sampled_from([0.05, 1.0, 60.0]),
        max_attempts=st.integers(1, 3),
    )
    def submit(
        self,
        size: int,
        degradation: Degradation | None,
        deadline_in_s: float | None,
        max_attempts: int,
    ) -> None:
        self.world.submit(
            size if degradation is not None else LIMIT,
            degradation=degradation,
            deadline_in_s=deadline_in_s,
            max_attempts=max_attempts,
        )

    @rule()
    def round(self) -> None:
        self.world.round()

    @precondition(lambda self: self.world.granted)
    @rule(pick=PICKS, parts=st.integers(1, 4))
    def an_attempt_goes_well(self, pick: int, parts: int) -> None:
        task, granted = self.world.granted[-1 - pick % len(self.world.granted)]
        self.world.report(task, granted, done(granted, parts))

        assert not self.world.report(task, granted, done(granted, parts))

    @precondition(lambda self: self.world.granted)
    @rule(parts=st.integers(1, 4))
    def everybody_works(self, parts: int) -> None:
        self.world.works(parts)

    @precondition(lambda self: self.world.granted)
    @rule(pick=PICKS, outcome=ILL)
    def an_attempt_goes_ill(self, pick: int, outcome: Outcome) -> None:
        self.world.report(*self.world.granted[-1 - pick % len(self.world.granted)], outcome)

    @precondition(lambda self: self.world.pool.tasks)
    @rule(pick=PICKS)
    def cancel_any_open_task(self, pick: int) -> None:
        tasks = list(self.world.pool.tasks)
        task = tasks[pick % len(tasks)]

        assert self.world.cancel(task)
        assert not self.world.cancel(task)

    @precondition(lambda self: self.world.wholes)
    @rule(pick=PICKS, held=st.booleans())
    def steer_a_whole(self, pick: int, *, held: bool) -> None:
        task = self.world.wholes[pick % len(self.world.wholes)]
        verb = HoldTask if held else ReleaseTask
        self.world.steer(verb(command_id="steer", task=task, by="ada", reason="because"))

    @rule(executor=st.sampled_from(EXECUTORS))
    def an_executor_is_killed(self, executor: str) -> None:
        self.world.restart(executor)

    @rule(executor=st.sampled_from(EXECUTORS))
    def an_executor_falls_silent(self, executor: str) -> None:
        self.world.falls_silent(executor)

    @rule(executor=st.sampled_from(EXECUTORS))
    def an_executor_is_heard_again(self, executor: str) -> None:
        self.world.is_heard_again(executor)

    @precondition(lambda self: self.world.wholes)
    @rule(entries=st.integers(1, 6))
    def the_log_loses_its_end(self, entries: int) -> None:
        self.world.loses_the_end(entries)

    @rule(seconds=st.sampled_from([0.125, 1.0, 30.0, 300.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @invariant()
    def what_must_hold(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.ends()
        self.world.check()


PartsMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestPartsMachine = PartsMachine.TestCase
