"""Behaviour metrics and the rules that act on them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.events import BehaviourMeasured, ContextPoolGrown, PriorityBoosted
from pointsman.feedback.domain.behaviour import (
    MAX_FACTOR,
    Behaviour,
    BehaviourEvent,
    Metrics,
    Window,
    decide,
    measure,
    next_boost_s,
    step_of,
)

shares = st.floats(0, 1)


def after(behaviour: Behaviour, metrics: Metrics, at: float = 0.0) -> tuple[BehaviourEvent, ...]:
    """Decide, and fold what was decided."""
    found = tuple(decide(behaviour, "main", metrics, window_s=600, at=at, applied_to=1))
    for event in found:
        match event:
            case BehaviourMeasured():
                behaviour.measured = event
            case PriorityBoosted():
                behaviour.boosted = event
            case ContextPoolGrown():
                behaviour.grown = event
    return found


def completing(rate: float) -> Metrics:
    return Metrics(100, completion_rate=rate)


def reusing(rate: float) -> Metrics:
    return Metrics(100, context_reuse_rate=rate)


def test_the_four_metrics_are_shares_of_their_own_wholes() -> None:
    window = Window(
        ended=20, completed=15, run_us=6_000_000, spent_us=8_000_000, with_history=10, reused=4
    )

    assert measure(window, 0.9) == Metrics(20, 0.75, 0.9, 0.75, 0.4)


def test_too_few_tasks_measure_nothing() -> None:
    window = Window(ended=19, completed=1, run_us=1, spent_us=2, with_history=1, reused=1)

    assert measure(window, 0.9) == Metrics(19)
    assert after(Behaviour(), measure(window, 0.9)) == ()


def test_what_has_no_whole_is_not_measured() -> None:
    assert measure(Window(ended=20, completed=0), None) == Metrics(20, completion_rate=0.0)


def test_a_metric_is_recorded_when_its_step_changes() -> None:
    behaviour = Behaviour()

    assert len(after(behaviour, completing(0.91))) == 1
    assert after(behaviour, completing(0.94)) == ()
    (event,) = after(behaviour, completing(0.95))
    assert isinstance(event, BehaviourMeasured)
    assert event.completion_rate == 0.95


@pytest.mark.parametrize(
    ("rate", "boost_s"),
    [(0.80, 0.0), (0.79, 3.75), (0.75, 3.75), (0.60, 15.0), (0.40, 30.0), (0.0, 30.0)],
)
def test_too_few_completed_tasks_boost_in_proportion(rate: float, boost_s: float) -> None:
    assert next_boost_s(0.0, rate) == boost_s


def test_a_boost_ends_only_well_above_where_it_starts() -> None:
    behaviour = Behaviour()
    after(behaviour, completing(0.6))
    assert behaviour.boost_s == 15.0

    after(behaviour, completing(0.84))
    assert behaviour.boost_s == 15.0

    (_, ended) = after(behaviour, completing(0.85))
    assert isinstance(ended, PriorityBoosted)
    assert (ended.boost_s, ended.classes) == (0.0, ("interactive", "standard"))


def test_what_cannot_be_measured_moves_nothing() -> None:
    behaviour = Behaviour()
    after(behaviour, completing(0.6))

    (event,) = after(behaviour, Metrics(3))

    assert isinstance(event, BehaviourMeasured)
    assert behaviour.boost_s == 15.0


def test_the_context_pool_grows_each_minute_while_contexts_are_reused() -> None:
    behaviour = Behaviour()

    factors = list[float]()
    for at in range(0, 400, 30):
        after(behaviour, reusing(0.71), float(at))
        factors.append(behaviour.factor)

    assert factors[:7] == [1.5, 1.5, 2.25, 2.25, 3.375, 3.375, 4.0]
    assert factors[-1] == MAX_FACTOR


def test_the_context_pool_shrinks_only_when_contexts_are_hardly_reused() -> None:
    behaviour = Behaviour()
    after(behaviour, reusing(0.9), 0.0)

    for rate in (0.7, 0.5, 0.3):
        after(behaviour, reusing(rate), 100.0)
        assert behaviour.factor == 1.5

    after(behaviour, reusing(0.29), 100.0)
    assert behaviour.factor == 1.0


metrics = st.builds(Metrics, st.integers(20, 100), *[st.none() | shares for _ in range(4)])


@given(st.lists(st.tuples(st.floats(0, 120), metrics), max_size=40))
def test_the_rules_keep_their_bounds_and_say_nothing_twice(
    ticks: list[tuple[float, Metrics]],
) -> None:
    behaviour, at = Behaviour(), 0.0
    grown_at = -1e9

    for passed, found in ticks:
        at += passed
        before = behaviour.factor
        after(behaviour, found, at)

        assert after(behaviour, found, at) == ()
        assert 0.0 <= behaviour.boost_s <= 30.0
        assert 1.0 <= behaviour.factor <= MAX_FACTOR
        if behaviour.factor > before > 1:
            assert at - grown_at >= 60
        if behaviour.factor > before:
            grown_at = at
        if found.completion_rate is not None:
            assert (behaviour.boost_s > 0) or found.completion_rate >= 0.8
            assert (behaviour.boost_s == 0) or found.completion_rate < 0.85


@given(shares)
def test_steps_are_rounded_down_but_not_past_their_own_value(share: float) -> None:
    step = step_of(share)

    assert step / 20 <= share + 1e-9
    assert share < (step + 1) / 20
    assert all(step_of(exact / 20) == exact for exact in range(21))


@given(metrics)
def test_a_restart_does_not_measure_the_same_again(found: Metrics) -> None:
    behaviour = Behaviour()
    after(behaviour, found)

    folded = Behaviour()
    if behaviour.measured is not None:
        stored = msgspec.json.encode(behaviour.measured)
        folded.measured = msgspec.json.decode(stored, type=BehaviourMeasured)
        folded.boosted, folded.grown = behaviour.boosted, behaviour.grown

    assert after(folded, found) == ()
