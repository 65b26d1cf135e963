"""A simulated pool under load: the same seed gives the same day."""

import random
from typing import Final

from pointsman.contracts.leases import Outcome, RunCompleted, RunFailed, RunTimedOut
from pointsman.contracts.message import PriorityClass
from tests.support.influences import INFLUENCES, with_context, with_result, without_context
from tests.support.pool_simulation import DEVICES, EXECUTOR_OF, Simulation
from tests.support.scheduling import RESULT

OUTCOMES: Final[tuple[Outcome, ...]] = (
    *[RunCompleted(result=RESULT, run_s=run_s) for run_s in (0.125, 0.25, 2.0)],
    RunFailed(code="unavailable", message="refused", retryable=True),
    RunFailed(code="unavailable", message="gone", retryable=True, device_lost=True),
    RunTimedOut(run_s=2.0),
)


def busy_day(seed: int, steps: int = 250) -> Simulation:
    """Submissions, failures of every kind, and what other services have to say meanwhile."""
    draws = random.Random(seed)
    day = Simulation()
    for _ in range(steps):
        match draws.choices(range(9), weights=(30, 30, 20, 4, 3, 3, 10, 6, 12))[0]:
            case 0:
                _submit(day, draws)
            case 1:
                day.round()
            case 2 if day.granted:
                day.report(*draws.choice(day.granted[-4:]), draws.choice(OUTCOMES))
            case 3 if day.accepted:
                day.cancel(draws.choice(day.accepted))
            case 4:
                ways = [day.restart, day.is_heard_again, day.falls_silent]
                draws.choices(ways, weights=(3, 3, 1))[0](draws.choice(sorted(DEVICES)))
            case 5:
                day.health(draws.choice(sorted(EXECUTOR_OF)), healthy=draws.random() < 0.7)
            case 7:
                day.hears(draws.choice(INFLUENCES))
            case 8 if day.accepted:
                told = draws.choice([with_context, without_context, with_result])
                day.prepare(told(draws.choice(day.accepted[-6:])))
            case _:
                day.passes(draws.choice([0.125, 1.0, 10.0, 100.0]))
    return day


def _submit(day: Simulation, draws: random.Random) -> None:
    day.submit(
        draws.choice(["summarize", "classify"]),
        draws.choice(list(PriorityClass)),
        deadline_in_s=draws.choice([None, None, 0.5, 3.0, 60.0]),
        conversation=draws.choice([None, None, "c-1"]),
        cache=draws.random() < 0.25,
    )
