"""The table of transitions."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.levels import LEVELS, Level
from pointsman.degradation.domain.ladder import TRANSITIONS, Signal, diagram, path, rank

BY_SIGNALS = {Signal.WAIT_LONG, Signal.ALERT_STANDS, Signal.DEVICE_FULL, Signal.HEADROOM}

levels = st.sampled_from(LEVELS)


def reachable(start: Level, signals: set[Signal]) -> set[Level]:
    found, fresh = {start}, {start}
    while fresh:
        fresh = {
            after
            for (before, signal), after in TRANSITIONS.items()
            if before in fresh and signal in signals and after not in found
        }
        found |= fresh
    return found


@pytest.mark.parametrize(("before", "after"), [(pair[0], to) for pair, to in TRANSITIONS.items()])
def test_a_transition_leads_to_a_neighbour(before: Level, after: Level) -> None:
    assert abs(rank(after) - rank(before)) == 1


@pytest.mark.parametrize("start", LEVELS)
def test_every_level_is_reached_from_every_level_by_signals_alone(start: Level) -> None:
    assert reachable(start, BY_SIGNALS) == set(LEVELS)


@pytest.mark.parametrize("signal", Signal)
def test_a_signal_leads_either_up_or_down(signal: Signal) -> None:
    ways = {
        rank(after) > rank(before) for (before, of), after in TRANSITIONS.items() if of is signal
    }

    assert len(ways) == 1


@pytest.mark.parametrize("signal", [Signal.ALERT_STANDS, Signal.DEVICE_FULL])
def test_alerts_and_full_devices_lead_to_conserve_and_no_further(signal: Signal) -> None:
    assert reachable(Level.NORMAL, {signal}) == {Level.NORMAL, Level.CONSERVE}


@given(levels, levels)
def test_an_override_goes_step_by_step_and_arrives(start: Level, target: Level) -> None:
    steps = path(start, target)

    walked = [start, *(level for _, level in steps)]
    assert walked[-1] is target
    assert all(abs(rank(b) - rank(a)) == 1 for a, b in pairwise(walked))


def test_the_diagram_shows_every_transition() -> None:
    lines = diagram().splitlines()

    for (before, signal), after in TRANSITIONS.items():
        assert any(
            line.strip().startswith(f"{before} --> {after}:") and signal.value in line
            for line in lines
        )
