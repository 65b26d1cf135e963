"""Random histories: whatever happens, every task ends once and no slot is used twice."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman.contracts.commands import PrepareTask
from pointsman.contracts.events import Decision
from pointsman.contracts.leases import Outcome, RunCancelled, RunCompleted, RunFailed, RunTimedOut
from pointsman.contracts.message import PriorityClass
from tests.support.influences import INFLUENCES, with_context, with_result, without_context
from tests.support.pool_simulation import DEVICES, EXECUTOR_OF, Simulation
from tests.support.scheduling import RESULT

UNAVAILABLE: Final = RunFailed(code="unavailable", message="refused", retryable=True)
# Eighths of a second are exact in binary, so that two clocks which should agree do.
OUTCOMES: Final = st.sampled_from(
    [
        RunCompleted(result=RESULT, run_s=0.25),
        RunCompleted(result=RESULT, run_s=1.0),
        RunFailed(code="bad_output", message="wrong shape", retryable=False),
        UNAVAILABLE,
        RunFailed(code="unavailable", message="gone", retryable=True, device_lost=True),
        RunFailed(code="invalid_input", message="one of them", retryable=True, shared=True),
        RunFailed(code="deadline_exceeded", message="too long", retryable=True, shared=True),
        RunTimedOut(run_s=2.0),
        RunCancelled(),
    ]
)
SECONDS: Final = st.sampled_from([0.125, 0.5, 1.0, 5.0, 30.0, 300.0])
FAMILIES: Final = st.sampled_from(["summarize", "classify"])
PICKS: Final = st.integers(0, 99)
EXECUTORS: Final = st.sampled_from(sorted(DEVICES))


class PoolMachine(RuleBasedStateMachine):
    """Commands, reports, failures and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation()

    @rule(
        family=FAMILIES,
        priority_class=st.sampled_from(PriorityClass),
        deadline_in_s=st.none() | st.sampled_from([-1.0, 0.0, 0.25, 0.5, 2.0, 60.0]),
        max_attempts=st.integers(1, 3),
        count=st.integers(1, 4),
        waits_for=st.sampled_from(["nothing", "nothing", "context", "cache", "both"]),
    )
    def submit(
        self,
        family: str,
        priority_class: PriorityClass,
        deadline_in_s: float | None,
        max_attempts: int,
        count: int,
        waits_for: str,
    ) -> None:
        for _ in range(count):
            self.simulation.submit(
                family,
                priority_class,
                deadline_in_s=deadline_in_s,
                max_attempts=max_attempts,
                conversation="c-1" if waits_for in {"context", "both"} else None,
                cache=waits_for in {"cache", "both"},
            )

    @rule(event=st.sampled_from(INFLUENCES))
    def another_service_records(self, event: Decision) -> None:
        self.simulation.hears(event)

    @precondition(lambda self: self.simulation.accepted)
    @rule(pick=PICKS, told=st.sampled_from([with_context, without_context, with_result]))
    def prepare_any_task_twice(self, pick: int, told: Callable[[UUID], PrepareTask]) -> None:
        accepted = self.simulation.accepted
        command = told(accepted[-1 - pick % min(6, len(accepted))])
        self.simulation.prepare(command)

        assert not self.simulation.prepare(command)

    @rule()
    def round(self) -> None:
        self.simulation.round()

    @precondition(lambda self: self.simulation.granted)
    @rule(pick=PICKS, outcome=OUTCOMES, draw=st.sampled_from([0.0, 0.25, 0.875]))
    def report_any_attempt_live_or_long_gone(
        self, pick: int, outcome: Outcome, draw: float
    ) -> None:
        granted = self.simulation.granted
        self.simulation.report(*granted[pick % len(granted)], outcome, draw=draw)

    @precondition(lambda self: self.simulation.granted)
    @rule(outcome=OUTCOMES)
    def report_the_last_attempt(self, outcome: Outcome) -> None:
        self.simulation.report(*self.simulation.granted[-1], outcome)
        self.simulation.report(*self.simulation.granted[-1], outcome)

    @rule(family=FAMILIES, outcome=OUTCOMES)
    def an_attempt_is_reported_again_when_the_next_one_runs(
        self, family: str, outcome: Outcome
    ) -> None:
        task = self.simulation.submit(family, PriorityClass.INTERACTIVE)
        self.simulation.round()
        for first in [granted for granted in self.simulation.granted if granted[0] == task]:
            self.simulation.report(*first, UNAVAILABLE)
            self.simulation.passes(31.0)
            self.simulation.round()
            self.simulation.report(*first, outcome)

    @rule(family=FAMILIES, max_attempts=st.integers(1, 3))
    def one_task_fails_again_and_again(self, family: str, max_attempts: int) -> None:
        task = self.simulation.submit(family, PriorityClass.INTERACTIVE, max_attempts=max_attempts)
        for _ in range(max_attempts + 1):
            self.simulation.round()
            mine = [granted for granted in self.simulation.granted if granted[0] == task]
            for granted in mine[-1:]:
                self.simulation.report(*granted, UNAVAILABLE)
            self.simulation.passes(31.0)

    @precondition(lambda self: self.simulation.accepted)
    @rule(pick=PICKS)
    def cancel_any_task_twice(self, pick: int) -> None:
        task = self.simulation.accepted[pick % len(self.simulation.accepted)]
        self.simulation.cancel(task)

        assert not self.simulation.cancel(task)

    @precondition(lambda self: self.simulation.granted)
    @rule(pick=PICKS, outcome=OUTCOMES)
    def cancel_while_reported(self, pick: int, outcome: Outcome) -> None:
        granted = self.simulation.granted
        self.simulation.cancel_while_reported(*granted[pick % len(granted)], outcome)

    @rule(executor=EXECUTORS)
    def restart(self, executor: str) -> None:
        self.simulation.restart(executor)

    @rule(executor=EXECUTORS)
    def attach_again(self, executor: str) -> None:
        self.simulation.attach_again(executor)

    @rule(executor=EXECUTORS)
    def fall_silent(self, executor: str) -> None:
        self.simulation.falls_silent(executor)

    @rule(executor=EXECUTORS)
    def be_heard_again(self, executor: str) -> None:
        self.simulation.is_heard_again(executor)

    @rule(device=st.sampled_from(sorted(EXECUTOR_OF)), healthy=st.booleans())
    def health(self, device: str, *, healthy: bool) -> None:
        self.simulation.health(device, healthy=healthy)

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.simulation.passes(seconds)

    @rule(seconds=SECONDS)
    def the_clock_is_set_back(self, seconds: float) -> None:
        self.simulation.set_clock_back(seconds)

    @invariant()
    def what_must_hold(self) -> None:
        self.simulation.check()


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPoolMachine = PoolMachine.TestCase
