"""Quantiles of measured runs, against their definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.run_times import RunTimes

WINDOW, ENOUGH = 64, 5
RUNS = st.lists(st.floats(0.0, 1e4), min_size=ENOUGH, max_size=200)


def prior() -> RunTimes:
    return RunTimes(prior_p50_s=0.1, prior_p99_s=0.9)


def nearest_rank(runs: list[float], share: float) -> float:
    """The smallest run that at least this share of the runs does not exceed."""
    return min(run for run in runs if sum(other <= run for other in runs) >= share * len(runs))


def test_the_registry_is_believed_until_enough_runs_were_seen() -> None:
    times = prior()
    for _ in range(ENOUGH - 1):
        times.add(5.0)

    assert (times.p50_s, times.p90_s, times.p99_s) == (0.1, 0.9, 0.9)
    assert not times.measured

    times.add(5.0)

    assert (times.p50_s, times.p90_s, times.p99_s) == (5.0, 5.0, 5.0)
    assert times.measured


@given(runs=RUNS, share=st.sampled_from([0.0, 0.25, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_that_of_the_last_runs(runs: list[float], share: float) -> None:
    times = prior()
    for run_s in runs:
        times.add(run_s)

    assert times.quantile(share) == nearest_rank(runs[-WINDOW:], share)
    assert times.runs == len(runs)


@pytest.mark.parametrize(
    ("count", "p50", "p90", "p99"), [(5, 3, 5, 5), (10, 5, 9, 10), (64, 32, 58, 64)]
)
def test_quantiles_of_known_runs(count: int, p50: float, p90: float, p99: float) -> None:
    times = prior()
    for run_s in reversed(range(1, count + 1)):
        times.add(float(run_s))

    assert (times.p50_s, times.p90_s, times.p99_s) == (p50, p90, p99)


def test_a_slow_hour_is_forgotten_after_a_window_of_fast_runs() -> None:
    times = prior()
    for _ in range(500):
        times.add(100.0)
    for _ in range(WINDOW):
        times.add(1.0)

    assert times.p99_s == 1.0


def test_a_new_registry_entry_replaces_the_old_guess_and_no_measurement() -> None:
    times = prior()

    times.expect(prior_p50_s=0.2, prior_p99_s=2.0)

    assert (times.p50_s, times.p99_s) == (0.2, 2.0)
    for _ in range(ENOUGH):
        times.add(5.0)
    times.expect(prior_p50_s=0.3, prior_p99_s=3.0)
    assert times.p50_s == 5.0
