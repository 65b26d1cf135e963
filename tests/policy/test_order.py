"""The order of the queue: fixed at admission, fair to what waits."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.message import PriorityClass
from pointsman.policy.order import (
    MAX_BOOST_S,
    WINDOWS,
    allowed_boost,
    components,
    virtual_deadline,
)

CLASSES: Final = st.sampled_from(PriorityClass)
# Whole milliseconds, so that differences of keys are exact enough to compare.
ARRIVALS: Final = st.integers(0, 900_000).map(lambda ms: ms / 1000)
BOOSTS: Final = st.integers(0, 400_000).map(lambda ms: ms / 1000)
ROUNDING_S: Final = 1e-6


def key(
    priority_class: PriorityClass,
    arrival: float,
    *,
    boost_s: float = 0.0,
    latest_start: float | None = None,
) -> float:
    return virtual_deadline(
        priority_class, arrival=arrival, boost_s=boost_s, latest_start=latest_start
    )


@pytest.mark.parametrize(
    ("priority_class", "due_s", "floor_s"),
    [
        (PriorityClass.INTERACTIVE, 1, 0),
        (PriorityClass.STANDARD, 30, 1),
        (PriorityClass.BATCH, 120, 30),
        (PriorityClass.BACKGROUND, 600, 300),
    ],
)
def test_a_class_is_due_after_its_window_and_never_before_its_floor(
    priority_class: PriorityClass, due_s: float, floor_s: float
) -> None:
    assert key(priority_class, 1000.0) == 1000 + due_s
    assert key(priority_class, 1000.0, latest_start=0.0) == 1000 + floor_s
    assert key(priority_class, 1000.0, boost_s=1e9) >= 1000 + floor_s


def test_a_deadline_pulls_a_task_forward_and_never_back() -> None:
    assert key(PriorityClass.STANDARD, 1000.0, latest_start=1010.0) == 1010.0
    assert key(PriorityClass.STANDARD, 1000.0, latest_start=9999.0) == 1030.0


def test_a_boost_is_limited_to_the_window_of_its_class() -> None:
    assert allowed_boost(PriorityClass.INTERACTIVE, 50.0) == 1.0
    assert allowed_boost(PriorityClass.STANDARD, 12.5) == 12.5
    assert allowed_boost(PriorityClass.BACKGROUND, 500.0) == MAX_BOOST_S
    assert allowed_boost(PriorityClass.BATCH, -5.0) == 0.0


@given(
    arrivals=st.tuples(ARRIVALS, ARRIVALS),
    boosts=st.tuples(BOOSTS, BOOSTS),
    starts=st.tuples(st.none() | ARRIVALS, st.none() | ARRIVALS),
    classes=st.tuples(CLASSES, CLASSES),
)
def test_a_later_task_passes_an_earlier_one_only_inside_the_stated_gap(
    arrivals: tuple[float, float],
    boosts: tuple[float, float],
    starts: tuple[float | None, float | None],
    classes: tuple[PriorityClass, PriorityClass],
) -> None:
    earlier, later = min(arrivals), max(arrivals)
    first = key(classes[0], earlier, boost_s=boosts[0], latest_start=starts[0])
    second = key(classes[1], later, boost_s=boosts[1], latest_start=starts[1])

    gap = WINDOWS[classes[0]].due_s - WINDOWS[classes[1]].floor_s
    if later - earlier >= gap + ROUNDING_S:
        assert second >= first


@given(
    tasks=st.lists(st.tuples(CLASSES, ARRIVALS, BOOSTS), min_size=2, max_size=8),
    moments=st.tuples(ARRIVALS, ARRIVALS),
)
def test_without_deadlines_the_order_is_that_of_effective_priorities_at_any_time(
    tasks: list[tuple[PriorityClass, float, float]], moments: tuple[float, float]
) -> None:
    def due_in(task: tuple[PriorityClass, float, float]) -> float:
        # The priority at arrival in seconds: what the class and the boost leave of the window.
        window = WINDOWS[task[0]]
        return max(window.floor_s, window.due_s - allowed_boost(task[0], task[2]))

    def priority(task: tuple[PriorityClass, float, float], now: float) -> float:
        return (now - task[1]) - due_in(task)

    for one in tasks:
        for other in tasks:
            ahead = key(other[0], other[1], boost_s=other[2]) - key(one[0], one[1], boost_s=one[2])
            for now in moments:
                assert priority(one, now) - priority(other, now) == pytest.approx(ahead, abs=1e-6)


@given(priority_class=CLASSES, arrival=ARRIVALS, boost_s=BOOSTS, start=st.none() | ARRIVALS)
def test_the_components_of_a_key_add_up_to_it(
    priority_class: PriorityClass, arrival: float, boost_s: float, start: float | None
) -> None:
    due = key(priority_class, arrival, boost_s=boost_s, latest_start=start)

    parts = components(priority_class, arrival=arrival, boost_s=boost_s, key=due, now=arrival + 2)

    told = arrival + parts.base_s - parts.boost_s - (parts.deadline_s or 0.0)
    assert max(told, arrival + parts.floor_s) == pytest.approx(due, abs=1e-5)
    assert parts.age_s == pytest.approx(2.0)
    assert parts.deadline_s is None or parts.deadline_s > 0
