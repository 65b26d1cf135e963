"""What is refused at the door is demand as well."""

import pytest

from pointsman.contracts.telemetry import FamilyLoad, PoolSample
from pointsman.degradation.domain.demand import Demand


def sample(second: int, *, accepted: int, refused: int) -> PoolSample:
    load = FamilyLoad(
        family="summarize",
        queued=0,
        accepted=accepted,
        best="best",
        best_slots=1,
        best_service_s=0.1,
        predicted_wait_s=0.0,
        refused=refused,
    )
    return PoolSample(
        pool="main", at=1_000.0 + second, applied_to=0, queued=0, granted=0, families=(load,)
    )


def test_shedding_does_not_hide_the_overload_that_it_answers() -> None:
    demand = Demand()

    for second in range(30):
        demand.sampled(sample(second, accepted=5 * second, refused=15 * second))

    assert demand.load_at_best(sample(30, accepted=150, refused=450)) == pytest.approx(2.0)


def test_demand_without_refusals_is_what_was_accepted() -> None:
    demand = Demand()

    for second in range(30):
        demand.sampled(sample(second, accepted=5 * second, refused=0))

    assert demand.load_at_best(sample(30, accepted=150, refused=0)) == pytest.approx(0.5)
