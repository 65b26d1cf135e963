"""Run timeouts stay within their bounds, retries spread out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.run_times import RunTimes
from pointsman.policy.timing import (
    MIN_RUN_S,
    load_timeout_s,
    retry_delay_s,
    run_timeout_s,
    timeout_bounds,
)

NOW = 1000.0


def measured(run_s: float) -> RunTimes:
    times = RunTimes(prior_p50_s=0.1, prior_p99_s=0.4)
    for _ in range(64):
        times.add(run_s)
    return times


def test_a_cold_start_gets_the_upper_bound() -> None:
    cold = RunTimes(prior_p50_s=0.1, prior_p99_s=0.4)

    assert run_timeout_s(cold, "gpu", now=NOW, deadline=None) == 90.0
    assert run_timeout_s(cold, "cpu", now=NOW, deadline=None) == 300.0


@pytest.mark.parametrize(
    ("device_class", "run_s", "timeout_s"),
    [
        ("gpu", 0.01, 2.0),
        ("gpu", 10.0, 30.0),
        ("gpu", 60.0, 90.0),
        ("cpu", 1.0, 15.0),
        ("cpu", 500.0, 300.0),
        ("abacus", 1.0, 15.0),
    ],
)
def test_a_known_model_gets_three_times_its_p99_within_the_bounds(
    device_class: str, run_s: float, timeout_s: float
) -> None:
    timeout = run_timeout_s(measured(run_s), device_class, now=NOW, deadline=None)

    assert timeout == pytest.approx(timeout_s)


@pytest.mark.parametrize(
    ("device_class", "band", "least_s", "most_s"),
    [
        ("gpu", "simple", 2.0, 15.0),
        ("gpu", "complex", 10.0, 90.0),
        ("gpu", "", 2.0, 90.0),
        ("cpu", "simple", 15.0, 60.0),
        ("cpu", "complex", 60.0, 300.0),
        ("cpu", "", 15.0, 300.0),
    ],
)
def test_the_complexity_band_sets_the_bounds(
    device_class: str, band: str, least_s: float, most_s: float
) -> None:
    short = run_timeout_s(measured(0.01), device_class, now=NOW, deadline=None, band=band)
    long = run_timeout_s(measured(1e4), device_class, now=NOW, deadline=None, band=band)
    cold = RunTimes(prior_p50_s=0.1, prior_p99_s=0.4)

    assert (short, long) == (least_s, most_s)
    assert run_timeout_s(cold, device_class, now=NOW, deadline=None, band=band) == most_s


@pytest.mark.parametrize("device_class", ["gpu", "cpu"])
def test_more_complex_work_never_has_less_time(device_class: str) -> None:
    bounds = [timeout_bounds(device_class, band) for band in ("simple", "medium", "complex")]

    assert bounds == sorted(bounds, key=lambda each: (each.least_s, each.most_s))


def test_work_that_timed_out_as_simple_gets_the_time_of_what_was_not_judged() -> None:
    timeout = run_timeout_s(
        measured(0.1), "gpu", now=NOW, deadline=None, band="simple", timed_out=1
    )

    assert timeout == 90.0


@pytest.mark.parametrize(
    ("expected_s", "memory_mib", "measured", "timeout_s"),
    [
        pytest.param(20.0, 0.0, False, 300.0, id="never measured"),
        pytest.param(20.0, 48 * 1024, False, 900.0, id="never measured, three times the size"),
        pytest.param(20.0, 0.0, True, 60.0, id="three times what it takes"),
        pytest.param(0.1, 0.0, True, 30.0, id="a small one"),
        pytest.param(200.0, 8 * 1024, True, 300.0, id="no longer than its size allows"),
    ],
)
def test_a_load_has_three_times_what_it_takes_within_what_its_size_allows(
    expected_s: float, memory_mib: float, measured: bool, timeout_s: float
) -> None:
    assert load_timeout_s(expected_s, memory_mib, measured=measured) == timeout_s


@given(
    device_class=st.sampled_from(["gpu", "cpu", "noop"]),
    band=st.sampled_from(["", "simple", "medium", "complex"]),
    run_s=st.floats(0, 1e5),
    slack_s=st.none() | st.floats(-100, 1e4),
)
def test_no_run_is_given_longer_than_its_bound_or_deadline(
    device_class: str, band: str, run_s: float, slack_s: float | None
) -> None:
    deadline = None if slack_s is None else NOW + slack_s
    bounds = timeout_bounds(device_class, band)

    timeout = run_timeout_s(measured(run_s), device_class, now=NOW, deadline=deadline, band=band)

    assert MIN_RUN_S <= timeout <= bounds.most_s
    if deadline is not None:
        assert timeout <= max(MIN_RUN_S, deadline - NOW)
    else:
        assert timeout >= bounds.least_s


@pytest.mark.parametrize(("attempt", "bound_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0)])
def test_the_bound_of_a_retry_doubles_up_to_half_a_minute(attempt: int, bound_s: float) -> None:
    assert retry_delay_s(attempt, 0.0) == 0.0
    assert retry_delay_s(attempt, 0.5) == bound_s / 2


@given(attempt=st.integers(1, 20), draw=st.floats(0, 1, exclude_max=True))
def test_a_retry_is_drawn_from_the_whole_interval(attempt: int, draw: float) -> None:
    bound_s = min(30.0, 0.5 * 2 ** (attempt - 1))

    assert 0.0 <= retry_delay_s(attempt, draw) < bound_s
    assert retry_delay_s(attempt, draw) == pytest.approx(draw * bound_s)


def test_a_few_short_runs_do_not_shorten_the_timeout_of_a_long_one() -> None:
    times = RunTimes(prior_p50_s=0.1, prior_p99_s=0.4)
    for _ in range(63):
        times.add(0.1)

    assert run_timeout_s(times, "gpu", now=NOW, deadline=None) == 90.0


def test_a_task_that_timed_out_gets_the_upper_bound() -> None:
    assert run_timeout_s(measured(0.1), "gpu", now=NOW, deadline=None, timed_out=1) == 90.0
