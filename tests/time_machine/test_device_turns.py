"""What became of devices, from their events."""

from typing import Final

import msgspec
import pytest

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.time_machine.circumstances import DeviceState
from pointsman.time_machine.whatif.device_turns import RecordedDevices
from tests.support.recorded_loads import by_ada
from tests.support.scheduling import NOON, attached, suspended

END: Final = NOON + 100
Turns = list[tuple[float, str]]


def at(event: Decision, seconds: float) -> Decision:
    return msgspec.structs.replace(event, at=NOON + seconds)


def comes(seconds: float, incarnation: str = "first") -> Decision:
    return at(attached(incarnation=incarnation), seconds)


def changed(seconds: float) -> events.ResidencyChanged:
    return events.ResidencyChanged(
        at=NOON + seconds, applied_to=0, device="cpu-0", generation=1, residency=()
    )


def granted(seconds: float) -> events.ResidencyGranted:
    return events.ResidencyGranted(
        at=NOON + seconds,
        applied_to=0,
        device="cpu-0",
        generation=1,
        executor="executor-1",
        incarnation="first",
    )


def lost(seconds: float, reason: str) -> events.AttemptLost:
    return events.AttemptLost(
        at=NOON + seconds, applied_to=0, attempt=1, device="cpu-0", reason=reason
    )


def canary(seconds: float, *, healthy: bool) -> events.CanaryChanged:
    return events.CanaryChanged(
        at=NOON + seconds,
        applied_to=0,
        device="cpu-0",
        variant="fast",
        healthy=healthy,
        detail="why not",
    )


def turns_of(*happened: Decision) -> Turns:
    """After the beginning, at which no device is there."""
    devices = RecordedDevices()
    for event in happened:
        devices.take(event)
    _, *turns = devices.all_turns(END)
    return [(round(seconds - NOON, 3), state.name) for seconds, _, state in turns]


def test_a_device_is_not_there_before_it_is_attached() -> None:
    devices = RecordedDevices()

    devices.take(comes(5))

    first, then = devices.all_turns(END)
    assert first == (float("-inf"), "cpu-0", DeviceState.GONE)
    assert then == (NOON + 5, "cpu-0", DeviceState.SERVES)


REFUSALS: Final = (
    (
        by_ada(events.DrainStarted, NOON + 10, device="cpu-0"),
        by_ada(events.DrainEnded, NOON + 20, device="cpu-0"),
    ),
    (at(suspended(), 10), events.DeviceResumed(at=NOON + 20, applied_to=0, device="cpu-0")),
    (canary(10, healthy=False), canary(20, healthy=True)),
)


@pytest.mark.parametrize(("begins", "ends"), REFUSALS)
def test_a_device_that_takes_nothing_refuses(begins: Decision, ends: Decision) -> None:
    assert turns_of(comes(0), begins, ends) == [(0, "SERVES"), (10, "REFUSES"), (20, "SERVES")]


def test_of_two_reasons_the_last_to_end_counts() -> None:
    (drain, undrain), (wrong, right) = REFUSALS[0], REFUSALS[2]

    happened = (comes(0), drain, at(wrong, 15), undrain, at(right, 30))

    assert turns_of(*happened) == [(0, "SERVES"), (10, "REFUSES"), (30, "SERVES")]


def test_what_stands_at_the_end_of_the_time_is_over_then() -> None:
    drain = by_ada(events.DrainStarted, NOON + 10, device="cpu-0")

    assert turns_of(comes(0), drain) == [(0, "SERVES"), (10, "REFUSES"), (100, "SERVES")]


def test_a_device_whose_executor_was_replaced_did_nothing_since_its_last_report() -> None:
    happened = (comes(0), changed(7), lost(30, "executor_replaced"), comes(30, "second"))

    assert turns_of(*happened)[1:] == [(7, "SILENT"), (30, "GONE"), (30, "SERVES")]


def test_a_load_that_was_never_reported_shows_since_when_it_did_nothing() -> None:
    happened = (comes(0), changed(7), granted(12), comes(30, "second"))

    assert turns_of(*happened)[1:] == [(12, "SILENT"), (30, "GONE"), (30, "SERVES")]


def test_a_device_with_nothing_to_do_is_gone_only_when_it_comes_back() -> None:
    happened = (comes(0), granted(6), changed(7), comes(30, "second"))

    assert turns_of(*happened)[1:] == [(30, "GONE"), (30, "SERVES")]


def test_an_executor_that_stops_in_order_is_not_silent() -> None:
    happened = (comes(0), changed(7), at(suspended(), 9), comes(30, "second"))

    assert turns_of(*happened)[1:] == [(9, "REFUSES"), (30, "GONE"), (30, "SERVES")]


def test_the_same_executor_that_comes_back_has_lost_nothing() -> None:
    assert turns_of(comes(0), comes(30)) == [(0, "SERVES")]


def test_an_engine_that_has_nothing_loaded_any_more_has_lost_its_model() -> None:
    resumed = events.DeviceResumed(at=NOON + 20, applied_to=0, device="cpu-0", residency=())

    happened = (comes(0), at(suspended(), 10), resumed)

    assert turns_of(*happened)[1:] == [(10, "REFUSES"), (20, "GONE"), (20, "SERVES")]


def test_a_device_that_left_is_gone_until_it_comes_back() -> None:
    left = events.DeviceDetached(at=NOON + 10, applied_to=0, device="cpu-0", reason="why not")

    assert turns_of(comes(0), left, comes(30, "second"))[1:] == [(10, "GONE"), (30, "SERVES")]


def test_an_attempt_that_was_lost_for_another_reason_says_nothing_of_the_device() -> None:
    assert turns_of(comes(0), lost(30, "BATCH_FAILED")) == [(0, "SERVES")]


def test_a_device_that_is_never_attached_here_is_of_another_pool() -> None:
    devices = RecordedDevices()

    devices.take(by_ada(events.DrainStarted, NOON, device="cpu-9"))

    assert devices.all_turns(END) == []
