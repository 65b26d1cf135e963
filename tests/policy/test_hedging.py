"""A hedge is for what takes longer than nearly everything before it, and for few requests."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.hedging import LEAST_WAIT_S, MOST_SAVED, HedgeBudget, Usual, usual_wait
from pointsman.policy.run_times import RunTimes

WINDOW = 64


def times(*runs: float) -> RunTimes:
    known = RunTimes(prior_p50_s=0.1, prior_p99_s=0.2)
    for run_s in runs:
        known.add(run_s)
    return known


def test_what_is_usual_is_known_once_the_window_is_full() -> None:
    few = times(*([1.0] * (WINDOW - 1)))
    enough = times(*([1.0] * WINDOW))
    at_once = RunTimes(prior_p50_s=0.0, prior_p99_s=0.0)

    assert usual_wait(few, at_once) is None
    assert usual_wait(enough, at_once) == Usual(1.0, WINDOW)


def test_the_usual_time_leaves_the_slowest_out_and_counts_the_way() -> None:
    runs = times(*([1.0] * 61), 9.0, 9.0, 9.0)

    usual = usual_wait(runs, times(*([0.5] * WINDOW)))

    assert usual == Usual(1.5, WINDOW)


def test_runs_that_take_no_time_still_give_a_moment() -> None:
    usual = usual_wait(times(*([0.0] * WINDOW)), times(*([0.0] * WINDOW)))

    assert usual == Usual(LEAST_WAIT_S, WINDOW)


@given(
    moments=st.lists(st.tuples(st.integers(1, 200), st.integers(0, 8)), max_size=10),
    share=st.sampled_from([0.0, 0.01, 0.02]),
)
def test_hedges_stay_within_the_share_of_requests_and_never_come_in_crowds(
    moments: list[tuple[int, int]], share: float
) -> None:
    budget, accepted, hedges = HedgeBudget(), 0, 0

    for requests, wanted in moments:
        for _ in range(requests):
            budget.earn(share)
        accepted += requests
        for _ in range(wanted):
            hedges += budget.suffices
            if budget.suffices:
                budget.spend()

        assert hedges <= share * accepted + 1e-6
        assert 0.0 <= budget.allowance <= MOST_SAVED


def test_fifty_requests_earn_a_hedge_at_two_percent() -> None:
    budget = HedgeBudget()

    for _ in range(49):
        budget.earn(0.02)
    before = budget.suffices
    budget.earn(0.02)

    assert not before
    assert budget.suffices
