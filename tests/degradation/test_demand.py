"""What is refused at the door is demand as well."""

import pytest

from pointsman.contracts.telemetry import FamilyLoad, PoolSample
from pointsman.degradation.domain.demand import Demand


def sample(second: int, *, accepted: int, refused: int = 0, kept_back: int = 0) -> PoolSample:
    load = FamilyLoad(
        family="summarize",
        queued=kept_back,
        accepted=accepted,
        best="best",
        best_slots=1,
        best_service_s=0.1,
        predicted_wait_s=0.0,
        refused=refused,
        kept_back=kept_back,
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


def test_what_an_operator_keeps_back_is_no_demand() -> None:
    """Of 100 a second a tenant at its limit is let start five."""
    demand = Demand()

    for second in range(30):
        heard = sample(second, accepted=100 * second, kept_back=95 * second)
        demand.sampled(heard)

    assert demand.load_at_best(sample(30, accepted=3_000)) == pytest.approx(0.5)


def test_a_pause_that_begins_or_ends_makes_no_negative_demand() -> None:
    demand = Demand()
    rates: list[float] = []

    for second, kept_back in enumerate((0, 0, 500, 505, 505, 0, 0)):
        demand.sampled(sample(second, accepted=5 * second, kept_back=kept_back))
        rates.append(demand.rate("summarize"))

    assert min(rates[1:]) >= 0.0
    assert max(rates) <= 5.0
