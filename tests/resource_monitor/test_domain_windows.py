"""What alerts look back over: tasks, qualities and the feed itself."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pointsman.contracts.events import MeasuredQuality
from pointsman.contracts.task_states import TERMINAL, TaskState
from pointsman.resource_monitor.domain.freshness import FeedProgress, fresh
from pointsman.resource_monitor.domain.quality import FamilyQuality
from pointsman.resource_monitor.domain.task_window import TaskWindow

NOON = 1_767_268_800.0
DONE = TaskState.COMPLETED


def lives(window: TaskWindow, latencies: list[float], *, until: float = NOON) -> None:
    for task, latency in enumerate(latencies):
        window.accepted(task, "standard", until - latency)
        assert window.ended(task, DONE, until)


def test_the_percentile_is_that_of_acceptance_to_completion() -> None:
    window = TaskWindow()
    lives(window, [0.01 * number for number in range(1, 101)])

    assert window.p95_s(NOON) == pytest.approx(0.95, abs=0.02)


def test_fewer_than_twenty_tasks_have_no_percentile() -> None:
    window = TaskWindow()
    lives(window, [5.0] * 19)

    assert window.p95_s(NOON) is None
    assert window.latency_s(NOON) == 0.0


def test_tasks_of_thirty_seconds_ago_are_forgotten() -> None:
    window = TaskWindow()
    lives(window, [5.0] * 20)

    assert window.p95_s(NOON + 29) == pytest.approx(5.0)
    assert window.p95_s(NOON + 32) is None


@pytest.mark.parametrize("priority_class", ["batch", "background"])
def test_nobody_waits_for_batch_and_background(priority_class: str) -> None:
    window = TaskWindow()
    for task in range(30):
        window.accepted(task, priority_class, NOON - 60)
        if task < 25:
            window.ended(task, DONE, NOON)

    assert window.latency_s(NOON) == 0.0
    assert window.ended_count(NOON) == 25


def test_a_pool_that_completes_nothing_stalls_for_as_long() -> None:
    window = TaskWindow()
    window.accepted(1, "interactive", NOON)

    assert window.latency_s(NOON + 4) == 4.0


def test_a_slow_task_among_others_that_complete_is_no_stall() -> None:
    window = TaskWindow()
    window.accepted(99, "interactive", NOON - 60)
    lives(window, [0.05] * 20)

    assert window.latency_s(NOON + 0.1) == pytest.approx(0.1)


def test_one_failure_in_a_hundred_is_the_error_rate() -> None:
    window = TaskWindow()
    for task in range(100):
        window.accepted(task, "batch", NOON)
        window.ended(task, TaskState.FAILED if task == 0 else DONE, NOON)

    assert window.error_rate(NOON) == pytest.approx(0.01)
    assert window.error_rate(NOON + 62) == 0.0


@pytest.mark.parametrize("state", sorted(TERMINAL - {TaskState.FAILED}))
def test_other_ends_are_no_errors(state: TaskState) -> None:
    window = TaskWindow()
    for task in range(30):
        window.accepted(task, "standard", NOON)
        window.ended(task, state, NOON)

    assert window.error_rate(NOON) == 0.0


def test_failures_among_fewer_than_twenty_tasks_have_no_rate() -> None:
    window = TaskWindow()
    for task in range(19):
        window.accepted(task, "standard", NOON)
        window.ended(task, TaskState.FAILED, NOON)

    assert window.error_rate(NOON) is None


def test_a_task_of_another_pool_is_not_this_pools_end() -> None:
    assert not TaskWindow().ended(1, DONE, NOON)


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(sorted(TERMINAL))), max_size=60))
def test_the_error_rate_is_a_share(ends: list[tuple[float, TaskState]]) -> None:
    window = TaskWindow()
    for task, (offset, state) in enumerate(ends):
        window.accepted(task, "standard", NOON)
        window.ended(task, state, NOON + offset)

    rate = window.error_rate(NOON + 100)

    assert rate is None or 0 <= rate <= 1


def rated(mean: float, ratings: int = 20, variant: str = "large") -> MeasuredQuality:
    return MeasuredQuality(variant=variant, ratings=ratings, mean=mean, low=mean, high=mean)


def test_quality_falls_against_the_best_of_the_last_hour() -> None:
    quality = FamilyQuality()
    quality.measured(rated(0.9), NOON)
    quality.measured(rated(0.7), NOON + 60)
    quality.measured(rated(0.8), NOON + 120)

    assert quality.drop(NOON + 180) == pytest.approx(0.1)
    # The 0.9 held until 60 s after noon; an hour after that it is history.
    assert quality.drop(NOON + 3_659) == pytest.approx(0.1)
    assert quality.drop(NOON + 3_661) == pytest.approx(0.0)


def test_variants_weigh_by_their_ratings() -> None:
    quality = FamilyQuality()
    quality.measured(rated(1.0, 30), NOON)
    quality.measured(rated(0.0, 10, "small"), NOON + 1)

    assert quality.drop(NOON + 2) == pytest.approx(0.25)


def test_a_family_without_ratings_has_no_drop() -> None:
    quality = FamilyQuality()
    quality.measured(rated(0.0, 0), NOON)

    assert quality.drop(NOON) is None


def test_one_bad_rating_after_a_good_one_is_no_drop() -> None:
    quality = FamilyQuality()
    quality.measured(rated(1.0, 1), NOON)
    quality.measured(rated(0.5, 2), NOON + 1)

    assert quality.drop(NOON + 2) is None


def test_a_mean_of_fewer_than_twenty_ratings_is_no_best_value() -> None:
    quality = FamilyQuality()
    quality.measured(rated(1.0, 19), NOON)
    quality.measured(rated(0.9, 20), NOON + 1)
    quality.measured(rated(0.8, 21), NOON + 2)

    assert quality.drop(NOON + 3) == pytest.approx(0.1)


def test_a_mean_of_too_few_ratings_left_is_no_present_value() -> None:
    quality = FamilyQuality()
    quality.measured(rated(0.9, 20), NOON)
    quality.measured(rated(0.5, 19), NOON + 1)
    withdrawn = quality.drop(NOON + 2)
    quality.measured(rated(0.7, 20), NOON + 3)

    assert withdrawn is None
    assert quality.drop(NOON + 4) == pytest.approx(0.2)


def test_ratings_of_all_variants_together_make_twenty() -> None:
    quality = FamilyQuality()
    quality.measured(rated(0.9, 10), NOON)
    quality.measured(rated(0.7, 10, "small"), NOON + 1)

    assert quality.drop(NOON + 2) == pytest.approx(0.0)


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 1)), min_size=1, max_size=40))
def test_a_drop_is_never_negative(values: list[tuple[float, float]]) -> None:
    quality = FamilyQuality()
    for offset, mean in sorted(values):
        quality.measured(rated(mean), NOON + offset)

    drop = quality.drop(NOON + 5000)

    assert drop is not None
    assert drop >= 0


def test_a_reading_is_unknown_after_three_periods() -> None:
    assert fresh(NOON, now=NOON + 3, every_s=1.0)
    assert not fresh(NOON, now=NOON + 3.1, every_s=1.0)
    assert not fresh(None, now=NOON, every_s=1.0)


def test_the_feed_is_complete_up_to_a_leaders_reading_once_it_has_come_there() -> None:
    progress = FeedProgress()
    progress.leader_at(10, NOON)
    behind = progress.fresh(NOON)

    progress.took(9)
    still_behind = progress.fresh(NOON)
    progress.took(12)

    assert (behind, still_behind, progress.fresh(NOON + 1)) == (False, False, True)
    assert not progress.fresh(NOON + 4)


def test_a_quiet_feed_is_complete_for_as_long_as_a_leader_says_so() -> None:
    progress = FeedProgress()
    progress.took(5)
    for second in range(60):
        progress.leader_at(5, NOON + second)

    assert progress.fresh(NOON + 60)
