"""Random histories of a pool that hedges: one end per task, no slot twice, no hedge too many."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from pointsman.contracts.leases import Outcome, RunCompleted
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.streams import stream_id
from tests.scheduler.test_domain_machine import OUTCOMES, PoolMachine
from tests.support.hedging import HEDGES, learn
from tests.support.scheduling import RESULT


class HedgingMachine(PoolMachine):
    """As the other, in a pool that knows what is usual and has hedges to give."""

    def __init__(self) -> None:
        super().__init__()
        history = self.simulation.history
        history.append(stream_id("policy", "main"), HEDGES)
        learn(history, 120, "best")

    @rule(
        seconds=st.sampled_from([0.25, 0.5, 1.0]),
        first=OUTCOMES,
        second=OUTCOMES,
        wins=st.booleans(),
    )
    def one_task_is_slow(
        self, seconds: float, first: Outcome, second: Outcome, *, wins: bool
    ) -> None:
        simulation = self.simulation
        simulation.submit("summarize", PriorityClass.INTERACTIVE)
        simulation.round()
        simulation.passes(seconds)
        simulation.round()
        simulation.round()
        ends: list[Outcome] = [RunCompleted(result=RESULT, run_s=1.0) if wins else first, second]
        for attempt, outcome in zip(simulation.granted[-2:], ends, strict=False):
            simulation.report(*attempt, outcome)


HedgingMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestHedgingMachine = HedgingMachine.TestCase
