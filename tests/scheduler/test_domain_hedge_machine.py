"""Random histories of a pool that hedges: one end per task, no slot twice, no hedge too many."""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from pointsman.contracts.leases import Outcome, RunCompleted
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.streams import stream_id
from tests.scheduler.test_domain_machine import EXECUTORS, OUTCOMES, PoolMachine
from tests.support.hedging import HEDGES, learn
from tests.support.scheduling import RESULT

DONE: Final = RunCompleted(result=RESULT, run_s=1.0)


class HedgingMachine(PoolMachine):
    """As the other, in a pool that knows what is usual and has hedges to give."""

    def __init__(self) -> None:
        super().__init__()
        history = self.simulation.history
        history.append(stream_id("policy", "main"), HEDGES)
        learn(history, 150, "best")

    @rule(seconds=st.sampled_from([0.25, 0.5, 1.0]), max_attempts=st.integers(1, 2))
    def one_task_is_slow(self, seconds: float, max_attempts: int) -> None:
        simulation = self.simulation
        simulation.submit("summarize", PriorityClass.INTERACTIVE, max_attempts=max_attempts)
        simulation.round()
        simulation.passes(seconds)
        simulation.round()
        simulation.round()

    @rule(back=st.integers(1, 3), outcome=st.just(DONE) | OUTCOMES)
    def one_of_the_last_attempts_ends(self, back: int, outcome: Outcome) -> None:
        for attempt in self.simulation.granted[-back:][:1]:
            self.simulation.report(*attempt, outcome)

    @rule(executor=EXECUTORS)
    def one_executor_loses_what_it_holds(self, executor: str) -> None:
        self.one_task_is_slow(1.0, 1)
        self.simulation.falls_silent(executor)
        self.simulation.is_heard_again(executor)


HedgingMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestHedgingMachine = HedgingMachine.TestCase
