"""What a recorded load becomes for the simulation, where operators or devices came between."""

import msgspec
import pytest

from pointsman.contracts import events
from pointsman.contracts.events import DeviceMode
from pointsman.time_machine.whatif.calibration import calibrate
from tests.support.recorded_loads import POOL, asked, by_ada, completes, load_of, one_device
from tests.support.scheduling import NOON, A, B, attached, given, model


def grant_of(variant: str, at: float) -> events.TaskGranted:
    """What a round would have decided."""
    history = one_device((A, asked()))
    history.round(NOON)
    (granted,) = (e.event for e in history.entries if isinstance(e.event, events.TaskGranted))
    return msgspec.structs.replace(granted, at=at, variant=variant)


@pytest.mark.parametrize(("reason", "taken_s"), [("executor_replaced", 2), ("BATCH_FAILED", 12)])
def test_what_an_attempt_lost_with_its_device_is_no_slot_time(reason: str, taken_s: float) -> None:
    history = one_device((A, asked()))
    history.round(NOON)
    history.append(
        A,
        events.AttemptLost(at=NOON + 10, applied_to=0, attempt=1, device="cpu-0", reason=reason),
    )
    history.append(A, msgspec.structs.replace(grant_of("fast", NOON + 20), attempt=2))
    completes(history, A, NOON + 22)

    calibrated = calibrate(load_of(history))

    assert [task.service_s for task in calibrated.trace] == [taken_s]
    assert calibrated.waits_s == [0]


@pytest.mark.parametrize(
    ("key", "limited", "granted", "waited_for"),
    [
        (NOON + 30, ["fast"], NOON + 70, [(2, 30)]),
        (NOON + 90, ["fast"], NOON + 70, [(2, 60)]),
        (NOON + 30, [], NOON + 70, []),
        (NOON + 30, ["fast"], NOON + 3, []),
    ],
    ids=["until it was due", "until the limit was over", "without a limit", "not at all"],
)
def test_a_task_waits_for_a_better_variant_of_which_nothing_may_begin(
    key: float, limited: list[str], granted: float, waited_for: list[tuple[float, float]]
) -> None:
    history = one_device()
    for variant in limited:
        for at, running in ((1, 0), (60, None)):
            set_ = by_ada(events.ModelLimited, NOON + at, variant=variant, running=running)
            history.append(POOL, set_)
    history.append(A, asked(NOON + 2, key=key, variants=("fast", "small")))
    history.append(A, grant_of("small", granted))

    load = load_of(history)

    found = [kept.waits for kept in calibrate(load).kept.values()]
    assert found == ([waited_for] if waited_for else [])


def test_a_hold_of_a_whole_is_one_of_its_parts() -> None:
    history = one_device((A, asked()))
    history.append(A, by_ada(events.TaskHeld, NOON + 5))
    history.append(A, by_ada(events.TaskReleased, NOON + 8))
    history.append(B, asked(NOON + 2, parent=str(A), part=1))

    kept = calibrate(load_of(history)).kept

    assert [spells.holds for spells in kept.values()] == [[(5, 8)], [(5, 8)]]


def test_what_is_known_of_a_model_is_what_its_registry_and_its_devices_say() -> None:
    device = msgspec.structs.replace(
        attached(), mode=DeviceMode.DEDICATED, residency=(), loadable=attached().residency
    )
    (expected,) = load_of(given(model(service_s=3.0), device)).expected.values()

    assert (expected.p50_s, expected.slots) == (3.0, 1)
