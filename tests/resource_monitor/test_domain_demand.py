"""Demand per bucket, and forecasts beside the naive one."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pointsman.contracts.events import ForecastMade
from pointsman.resource_monitor.domain.demand import (
    ALPHA,
    BUCKET_S,
    BUCKETS,
    AcceptedCounts,
    Outlook,
    evolve,
    forecast,
    wape,
)

NOON = 1_767_268_800.0
RATES = st.lists(st.floats(0, 1e4), min_size=1, max_size=80)


def forecasts(rates: list[float], *, start: float = NOON) -> list[ForecastMade]:
    made: list[ForecastMade] = []
    outlook: Outlook | None = None
    for number, rate in enumerate(rates, 1):
        end = start + number * BUCKET_S
        event = forecast("embed", outlook, rate, end=end, applied_to=0)
        if event is not None:
            made.append(event)
            outlook = evolve(outlook, event)
    return made


def test_the_first_bucket_is_the_forecast_of_the_second() -> None:
    (made,) = forecasts([4.0])

    assert (made.measured_per_s, made.ewma_per_s, made.naive_per_s) == (4.0, 4.0, 4.0)
    assert (made.ewma_wape, made.naive_wape, made.buckets) == (None, None, 0)


def test_the_average_moves_by_its_weight_and_errors_are_of_what_was_forecast() -> None:
    second = forecasts([4.0, 8.0])[1]

    assert second.ewma_per_s == pytest.approx(ALPHA * 8 + (1 - ALPHA) * 4)
    assert second.naive_per_s == 8.0
    assert second.ewma_wape == second.naive_wape == pytest.approx(0.5)
    assert second.buckets == 1


def test_on_noise_the_average_beats_the_naive_forecast_and_on_a_ramp_it_does_not() -> None:
    noisy = forecasts([10.0, 20.0] * 20)[-1]
    ramp = forecasts([float(rate) for rate in range(1, 41)])[-1]

    assert noisy.ewma_wape is not None
    assert noisy.naive_wape is not None
    assert noisy.ewma_wape < noisy.naive_wape
    assert ramp.ewma_wape is not None
    assert ramp.naive_wape is not None
    assert ramp.ewma_wape > ramp.naive_wape


def test_a_family_without_demand_is_forecast_for_thirty_buckets_more() -> None:
    made = forecasts([1.0] + [0.0] * 50)

    assert len(made) == 1 + BUCKETS


def test_a_family_that_never_had_demand_is_not_forecast() -> None:
    assert forecasts([0.0] * 3) == []


def test_a_bucket_that_nobody_measured_is_no_error_of_the_forecast() -> None:
    (first,) = forecasts([4.0])
    outlook = evolve(None, first)

    late = forecast("embed", outlook, 9.0, end=first.at + 3 * BUCKET_S, applied_to=0)

    assert late is not None
    assert late.buckets == 0


def test_after_a_long_silence_the_average_starts_anew() -> None:
    (first,) = forecasts([4.0])
    outlook = evolve(None, first)

    late = forecast("embed", outlook, 9.0, end=first.at + 31 * BUCKET_S, applied_to=0)

    assert late is not None
    assert late.ewma_per_s == 9.0


@given(RATES)
def test_the_average_lies_between_the_least_and_the_greatest_demand(rates: list[float]) -> None:
    for made in forecasts(rates):
        assert min(rates) * 0.999 <= made.ewma_per_s <= max(rates) * 1.001


@given(RATES)
def test_errors_stand_on_at_most_thirty_buckets_and_are_never_negative(rates: list[float]) -> None:
    for made in forecasts(rates):
        assert made.buckets <= BUCKETS
        assert made.ewma_wape is None or made.ewma_wape >= 0
        assert (made.ewma_wape is None) == (made.naive_wape is None)


@given(RATES, st.integers(0, 79))
def test_a_restart_between_buckets_changes_no_forecast(rates: list[float], cut: int) -> None:
    """The outlook is the fold of what was recorded, wherever the folding begins again."""
    made = forecasts(rates)
    outlook: Outlook | None = None
    for event in made[:cut]:
        outlook = evolve(outlook, event)
    for event in made[cut:]:
        again = forecast("embed", outlook, event.measured_per_s, end=event.at, applied_to=0)
        outlook = evolve(outlook, event)

        assert again == event


def test_errors_of_no_demand_are_unknown() -> None:
    assert wape([(0.0, 3.0)]) is None
    assert wape([]) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=60))
def test_every_task_of_whole_buckets_is_counted_once(turns: list[tuple[float, bool]]) -> None:
    counts = AcceptedCounts(NOON - 1)
    counted = 0

    for offset, close in turns:
        counts.accepted("embed", NOON + offset)
        if close:
            counted += counts.open_counts.get("embed", 0)
            counts.close()
    for _ in range(20):
        counted += counts.open_counts.get("embed", 0)
        counts.close()

    assert counted == len(turns)


def test_the_bucket_in_which_counting_began_is_not_measured() -> None:
    counts = AcceptedCounts(NOON + 3)

    counts.accepted("embed", NOON + 4)
    counts.accepted("embed", NOON + 11)

    assert counts.end == NOON + 20
    assert counts.open_counts == {"embed": 1}
