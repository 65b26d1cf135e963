"""Run timeouts stay within their bounds, retries spread out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.run_times import RunTimes
from pointsman.policy.timing import MIN_RUN_S, TIMEOUT_BOUNDS, retry_delay_s, run_timeout_s

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


@given(
    device_class=st.sampled_from(sorted(TIMEOUT_BOUNDS)),
    run_s=st.floats(0, 1e5),
    slack_s=st.none() | st.floats(-100, 1e4),
)
def test_no_run_is_given_longer_than_its_bound_or_deadline(
    device_class: str, run_s: float, slack_s: float | None
) -> None:
    deadline = None if slack_s is None else NOW + slack_s

    timeout = run_timeout_s(measured(run_s), device_class, now=NOW, deadline=deadline)

    assert MIN_RUN_S <= timeout <= TIMEOUT_BOUNDS[device_class].most_s
    if deadline is not None:
        assert timeout <= max(MIN_RUN_S, deadline - NOW)
    elif device_class in TIMEOUT_BOUNDS:
        assert timeout >= TIMEOUT_BOUNDS[device_class].least_s


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
