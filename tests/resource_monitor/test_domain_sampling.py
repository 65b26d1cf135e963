"""When a reading becomes an event."""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pointsman.contracts.events import DeviceSampled
from pointsman.contracts.telemetry import DeviceReading
from pointsman.resource_monitor.domain.sampling import LEAST_INTERVAL_S, quantise, sample

NOON = 1_767_268_800.0
SHARES = st.floats(0, 1)


def reading(utilisation: float | None = 0.5, *, state: str = "measured") -> DeviceReading:
    return DeviceReading(
        device="gpu-0",
        at=NOON,
        source="nvml",
        state=state,
        utilisation=utilisation,
        memory=0.52,
        memory_total_mib=81_920.4,
        temperature_c=61.0,
        power_w=310.0,
    )


def taken(
    read: DeviceReading, before: DeviceSampled | None, *, now: float = NOON
) -> DeviceSampled | None:
    return sample(read, before, id=f"sample-{now}", now=now, applied_to=7)


def first(utilisation: float | None = 0.5) -> DeviceSampled:
    sampled = taken(reading(utilisation), None)
    assert sampled is not None
    return sampled


def test_the_first_reading_is_recorded_in_steps() -> None:
    assert first() == DeviceSampled(
        at=NOON,
        applied_to=7,
        device="gpu-0",
        sample=f"sample-{NOON}",
        source="nvml",
        state="measured",
        utilisation=0.5,
        memory=0.5,
        memory_total_mib=81_920.0,
        temperature_c=60.0,
        power_w=300.0,
    )


@pytest.mark.parametrize(("utilisation", "step"), [(0.55, None), (0.59, None), (0.61, 0.6)])
def test_a_value_stays_at_its_step_until_it_is_a_whole_step_away(
    utilisation: float, step: float | None
) -> None:
    sampled = taken(reading(utilisation), first(), now=NOON + 2)

    assert (sampled.utilisation if sampled else None) == step


def test_a_change_soon_after_the_latest_sample_waits_for_its_time() -> None:
    assert taken(reading(1.0), first(), now=NOON + 1.9) is None
    assert taken(reading(1.0), first(), now=NOON + 2.0) is not None


def test_a_value_that_is_no_longer_measured_is_none_and_not_zero() -> None:
    sampled = taken(reading(None), first(), now=NOON + 2)

    assert sampled is not None
    assert sampled.utilisation is None


def test_a_lost_device_is_recorded_without_any_other_change() -> None:
    sampled = taken(reading(state="lost"), first(), now=NOON + 2)

    assert sampled is not None
    assert sampled.state == "lost"


@given(SHARES, st.sampled_from([0.05, 0.1]), st.none() | SHARES)
def test_a_step_is_less_than_one_step_from_its_value(
    value: float, step: float, earlier: float | None
) -> None:
    before = quantise(earlier, step, None)

    found = quantise(value, step, before)

    assert found is not None
    assert abs(found - value) < step
    assert found == pytest.approx(round(found / step) * step)


@given(st.floats(0.02, 0.98), st.lists(st.floats(-0.049, 0.049), max_size=30))
def test_a_value_that_wavers_by_less_than_half_a_step_changes_at_most_once(
    centre: float, noise: list[float]
) -> None:
    found = [quantise(centre, 0.1, None)]
    for offset in noise:
        found.append(quantise(centre + offset, 0.1, found[-1]))

    changes = sum(1 for a, b in itertools.pairwise(found) if a != b)

    assert changes <= 1


@given(st.lists(st.tuples(st.floats(0, 3), SHARES), max_size=40))
def test_there_is_at_most_one_sample_in_two_seconds(turns: list[tuple[float, float]]) -> None:
    latest, now, times = first(), NOON, [NOON]

    for passed, utilisation in turns:
        now += passed
        sampled = taken(reading(utilisation), latest, now=now)
        if sampled is not None:
            latest = sampled
            times.append(now)

    assert all(b - a >= LEAST_INTERVAL_S for a, b in itertools.pairwise(times))
