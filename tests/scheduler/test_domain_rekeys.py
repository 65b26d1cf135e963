"""Boosts and moves against a list that is sorted anew each time."""

from typing import Final
from uuid import UUID, uuid5

from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.message import PriorityClass
from pointsman.policy.order import WINDOWS, operator_boost, steered_deadline, virtual_deadline
from pointsman.scheduler.domain.attempts.ends import decide_report
from tests.support.scheduling import (
    NOON,
    A,
    accepted,
    attached,
    given,
    granted_events,
    model,
    report,
)
from tests.support.steering import boost, move, steered

classes: Final = st.sampled_from(PriorityClass)

Rekey = tuple[int, PriorityClass | float]
rekeys: Final = st.lists(
    st.tuples(st.integers(0, 5), st.one_of(classes, st.floats(0.0, 600.0))), max_size=12
)


def due(arrival: float, priority_class: PriorityClass, boost_s: float) -> float:
    """The key as `policies.md` writes it."""
    window = WINDOWS[priority_class]
    return max(arrival + window.floor_s, arrival + window.due_s - boost_s)


@settings(max_examples=150, deadline=None)
@examples(
    arrivals=st.lists(st.tuples(st.floats(0.0, 400.0), classes), min_size=6, max_size=6),
    changes=rekeys,
)
def test_after_any_rekeys_tasks_run_in_the_order_of_a_sorted_list(
    arrivals: list[tuple[float, PriorityClass]], changes: list[Rekey]
) -> None:
    history = given(model(), attached())
    expected: dict[UUID, tuple[float, PriorityClass, float]] = {}
    for number, (after, priority_class) in enumerate(sorted(arrivals, key=lambda each: each[0])):
        task, at = uuid5(A, str(number)), NOON + after
        key = due(at, priority_class, 0.0)
        history.append(task, accepted(at=at, key=key, priority_class=priority_class))
        expected[task] = (at, priority_class, 0.0)
    now = NOON + 2_000.0
    for number, how in changes:
        task = uuid5(A, str(number))
        at, priority_class, boost_s = expected[task]
        if isinstance(how, PriorityClass):
            steered(history, move(task, how), at=now)
            expected[task] = (at, how, min(boost_s, WINDOWS[how].due_s))
        elif how <= WINDOWS[priority_class].due_s:
            steered(history, boost(task, how), at=now)
            expected[task] = (at, priority_class, how)

    order: list[UUID] = []
    while granted := [*granted_events(history.round(now))]:
        order += granted
        decided = decide_report(history.pool, report(granted[0], 1), at=now, draw=0.0)
        assert decided is not None
        assert history.record(decided)

    place = list(expected)
    assert order == sorted(expected, key=lambda task: (due(*expected[task]), place.index(task)))


@settings(max_examples=100, deadline=None)
@examples(
    priority_class=classes,
    boost_s=st.floats(-10.0, 2_000.0),
    latest_start=st.none() | st.floats(NOON - 100.0, NOON + 2_000.0),
)
def test_an_operator_moves_no_key_before_the_floor_and_none_behind_the_window(
    priority_class: PriorityClass, boost_s: float, latest_start: float | None
) -> None:
    window = WINDOWS[priority_class]

    key = steered_deadline(priority_class, arrival=NOON, boost_s=boost_s, latest_start=latest_start)

    assert NOON + window.floor_s <= key <= NOON + window.due_s
    assert 0.0 <= operator_boost(priority_class, boost_s) <= window.due_s
    assert key <= virtual_deadline(
        priority_class, arrival=NOON, boost_s=boost_s, latest_start=latest_start
    )
