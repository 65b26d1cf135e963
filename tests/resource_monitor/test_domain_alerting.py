"""Alerts are raised once and cleared once."""

from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pointsman.contracts.events import AlertCleared, AlertRaised
from pointsman.resource_monitor.domain.alert_rules import RULE_OF, RULES, AlertRule
from pointsman.resource_monitor.domain.alerting import (
    TRANSITIONS,
    Observation,
    Phase,
    Signal,
    Watch,
    decide,
    evolve,
    observe,
)

RULE = AlertRule("test", threshold=0.5, unit="1", for_s=3.0, clear_s=5.0)
HIGH, LOW = 0.9, 0.1
VALUES = st.lists(st.sampled_from([HIGH, LOW, None]), max_size=80)


def events_of(
    values: Sequence[float | None], watch: Watch | None = None, *, period_s: float = 1.0
) -> list[AlertRaised | AlertCleared]:
    """What is recorded when one value is seen per period."""
    watch = watch or Watch()
    found: list[AlertRaised | AlertCleared] = []
    for second, value in enumerate(values):
        now = second * period_s
        watch = observe(watch, RULE, value, now=now)
        event = decide(watch, RULE, Observation("main", value, ("s-1",)), now=now, applied_to=9)
        if event is not None:
            watch = evolve(event)
            found.append(event)
    return found


def test_it_is_raised_after_its_duration_and_not_before() -> None:
    assert events_of([HIGH] * 3) == []
    assert events_of([LOW] + [HIGH] * 4) == [
        AlertRaised(
            at=4.0,
            applied_to=9,
            alert="test",
            subject="main",
            value=HIGH,
            threshold=0.5,
            unit="1",
            for_s=3.0,
            since=1.0,
            samples=("s-1",),
        )
    ]


def test_a_value_at_the_threshold_is_not_above_it() -> None:
    assert events_of([0.5] * 20) == []


def test_a_break_starts_the_duration_again() -> None:
    assert events_of([HIGH, HIGH, HIGH, LOW, HIGH, HIGH, HIGH]) == []
    assert events_of([HIGH, HIGH, HIGH, None, HIGH, HIGH, HIGH]) == []


def test_it_stands_until_it_was_below_for_the_clear_duration() -> None:
    up = [HIGH] * 4

    assert len(events_of(up + [LOW] * 5)) == 1
    assert len(events_of([*up, LOW, LOW, LOW, HIGH, LOW, LOW, LOW])) == 1
    raised, cleared = events_of(up + [LOW] * 6)
    assert isinstance(cleared, AlertCleared)
    assert (cleared.raised_at, cleared.at, cleared.value) == (raised.at, 9.0, LOW)


def test_what_is_unknown_neither_raises_nor_clears() -> None:
    assert events_of([None] * 50) == []
    assert len(events_of([HIGH] * 4 + [None] * 50)) == 1
    assert len(events_of([HIGH] * 4 + [LOW] * 4 + [None] + [LOW] * 4)) == 1


def test_after_a_restart_what_stands_is_not_raised_again() -> None:
    (raised,) = events_of([HIGH] * 4)

    assert events_of([HIGH] * 20, evolve(raised)) == []


@given(VALUES, st.sampled_from([0.5, 1.0, 2.0]))
def test_raised_and_cleared_alternate(values: list[float | None], period_s: float) -> None:
    kinds = [type(event) for event in events_of(values, period_s=period_s)]

    assert kinds[::2] == [AlertRaised] * len(kinds[::2])
    assert kinds[1::2] == [AlertCleared] * len(kinds[1::2])


@given(VALUES)
def test_it_was_above_without_a_break_before_it_was_raised(values: list[float | None]) -> None:
    for event in events_of(values):
        if isinstance(event, AlertRaised):
            since, at = int(event.since), int(event.at)
            assert at - since >= RULE.for_s
            assert set(values[since : at + 1]) == {HIGH}


@given(VALUES, st.integers(0, 79))
def test_a_restart_neither_raises_nor_clears_by_itself(
    values: list[float | None], cut: int
) -> None:
    """Only phases are lost: what stood before still stands, what did not still does not."""
    before = events_of(values[:cut])
    watch = evolve(before[-1]) if before else Watch()

    after = events_of(values[cut:], watch)

    first = type(after[0]) if after else None
    assert first in ({None, AlertCleared} if watch.raised else {None, AlertRaised})


def test_only_a_duration_that_was_held_raises_or_clears() -> None:
    crossing = {
        pair: phase
        for pair, phase in TRANSITIONS.items()
        if Watch(pair[0]).raised is not Watch(phase).raised
    }

    assert crossing == {
        (Phase.PENDING, Signal.HELD): Phase.RAISED,
        (Phase.CLEARING, Signal.HELD): Phase.OK,
    }


@pytest.mark.parametrize(
    ("alert", "threshold", "for_s"),
    [
        ("gpu_memory", 0.9, 10.0),
        ("task_latency", 0.2, 3.0),
        ("error_rate", 0.01, 5.0),
        ("quality_drop", 0.05, 5.0),
    ],
)
def test_the_four_alerts_have_their_thresholds(alert: str, threshold: float, for_s: float) -> None:
    rule = RULE_OF[alert]

    assert len(RULES) == 4
    assert (rule.threshold, rule.for_s) == (threshold, for_s)
