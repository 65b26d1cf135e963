"""What a task waits for whose model is on no device yet."""

from typing import Final

import msgspec

from pointsman.contracts import events
from pointsman.contracts.events import DeviceMode, Residency
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.scheduling import NOON, A, B, History, accepted, attached, given, model

LOADABLE: Final = tuple(Residency(variant=name, slots=1) for name in ("fast", "label"))


def dedicated(device: str = "gpu-0") -> events.DeviceAttached:
    offer = attached(device, variants=())
    return msgspec.structs.replace(offer, mode=DeviceMode.DEDICATED, loadable=LOADABLE)


def waiting_for(history: History) -> str:
    return waits_for(history.pool, history.pool.tasks[A])


def test_a_device_that_could_load_is_counted() -> None:
    history = given(model(), dedicated(), (A, accepted()))

    assert waiting_for(history) == "a device to load one of its variants; 1 could"


def test_a_load_that_goes_on_is_named_with_its_beginning() -> None:
    history = given(model(), dedicated(), (A, accepted()))
    history.round(NOON + 1)

    assert waiting_for(history) == (
        "gpu-0, which loads fast since 12:00:01.000 and needs about 500 ms"
    )


def test_a_device_that_is_busy_with_something_else_is_named() -> None:
    history = given(model(), model("label", family="classify"), dedicated())
    history.append(B, accepted(family="classify", variants=("label",)))
    (load,) = history.round(NOON)
    (granted,) = load.events
    assert isinstance(granted, events.ResidencyGranted)
    loaded = events.ResidencyChanged(
        at=NOON + 1,
        applied_to=5,
        device="gpu-0",
        generation=granted.generation,
        residency=LOADABLE[1:],
        loaded="label",
        load_s=1.0,
    )
    history.append(load.stream, loaded)
    history.round(NOON + 1)
    history.append(A, accepted())

    assert waiting_for(history) == (
        "a device to load one of its variants; gpu-0 could, and is busy"
    )


def test_where_nothing_can_be_loaded_a_device_is_missed() -> None:
    history = given(model(), attached(variants=("label",)), (A, accepted()))

    assert waiting_for(history).endswith("fast is loaded on none, and none has it to load")
