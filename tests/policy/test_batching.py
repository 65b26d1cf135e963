"""How many tasks share a call, from what was measured of calls that were shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.batching import (
    SHORT_S,
    STRETCH,
    TRIAL_EVERY,
    added_s,
    batch_s,
    largest,
    longest_s,
)
from pointsman.policy.run_times import RunTimes

SECONDS = st.floats(0.0, 100.0)


def times(p50_s: float) -> RunTimes:
    return RunTimes(prior_p50_s=p50_s, prior_p99_s=4 * p50_s)


def test_a_batch_takes_the_time_of_one_and_what_each_further_task_adds() -> None:
    assert batch_s(1.0, 0.25, 5) == 2.0


def test_what_a_task_adds_is_shared_out_evenly() -> None:
    assert added_s(times(1.0), 5, 2.0) == 0.25


def test_a_batch_that_ran_faster_than_one_alone_adds_nothing() -> None:
    assert added_s(times(1.0), 5, 0.5) == 0.0


@pytest.mark.parametrize(
    ("alone_s", "added", "most", "size"),
    [
        pytest.param(1.0, 0.5, 8, 2, id="a first trial of two"),
        pytest.param(1.0, 1.0, 8, 1, id="no faster than one after the other"),
        pytest.param(1.0, 0.05, 8, 8, id="as many as the model takes"),
        pytest.param(1.0, 0.1, 64, 6, id="half as long again at the most"),
        pytest.param(0.005, 0.005, 64, 10, id="short, so that nobody notices"),
        pytest.param(0.0, 0.0, 64, 64, id="no time at all"),
        pytest.param(1.0, 0.0, 1, 1, id="a model that does not batch"),
    ],
)
def test_company_is_as_large_as_it_is_cheap(
    alone_s: float, added: float, most: int, size: int
) -> None:
    alone = times(alone_s)
    alone.runs = 1

    assert largest(alone, times(added), most) == size


def test_two_are_tried_again_after_so_many_calls() -> None:
    alone = times(1.0)
    tried: list[int] = []
    for runs in range(2 * TRIAL_EVERY):
        alone.runs = runs
        if largest(alone, times(1.0), 8) == 2:
            tried.append(runs)

    assert tried == [0, TRIAL_EVERY]


def test_what_a_bad_minute_adds_is_at_most_a_run() -> None:
    assert added_s(times(0.005), 2, 60.0) == 0.005


@given(SECONDS, SECONDS, st.integers(1, 100))
def test_the_largest_batch_is_expected_within_its_bounds(
    alone_s: float, added: float, most: int
) -> None:
    alone, further = times(alone_s), times(added)
    alone.runs = 1

    size = largest(alone, further, most)

    assert 1 <= size <= most
    assert size == 1 or batch_s(alone_s, added, size) <= longest_s(alone) * (1 + 1e-9)
    assert longest_s(alone) == max(STRETCH * alone_s, SHORT_S)
