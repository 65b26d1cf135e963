"""Which device an open task waits for, in words, and what it leaves alone meanwhile."""

from typing import Final

from msgspec.structs import replace

from pointsman.contracts import events
from pointsman.contracts.events import DeviceMode, Residency
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.scheduling import (
    NOON,
    A,
    B,
    C,
    History,
    accepted,
    attached,
    given,
    model,
    suspended,
)
from tests.support.steering import WHY, drain, limit, steered


def waits(history: History, at: float = NOON) -> str:
    return waits_for(history.pool, history.pool.tasks[B], at=at)


def best_is_awaited() -> History:
    """B may have any of two variants, both are loaded, and no slot is taken."""
    return given(
        model("best", quality=0.9),
        model(quality=0.5),
        attached(variants=("best", "fast"), slots=2),
        (B, accepted(variants=("best", "fast"))),
    )


def test_a_limit_that_holds_the_best_variant_back_is_named_though_slots_are_free() -> None:
    history = best_is_awaited()
    steered(history, limit("best", 0))
    assert history.round(NOON) == []

    assert waits(history) == (
        f"its turn: 0 attempt(s) of best run, at most 0 may (set by cli:ada: {WHY}); before "
        "it is due, at 12:00:30.000, no other variant is taken; its place in the line of its class "
        "is 1 of 1, and 1 task(s) wait in the pool"
    )


def test_the_best_variant_is_named_where_only_a_smaller_one_has_a_free_slot() -> None:
    history = given(
        model("best", quality=0.9),
        model(quality=0.5),
        attached(variants=("best",)),
        attached("cpu-1"),
        (A, accepted(variants=("best",))),
        (B, accepted(variants=("best", "fast"))),
    )
    history.round(NOON)

    assert waits(history).startswith(
        "a free slot of best; before it is due, at 12:00:30.000, no other variant is taken; "
    )


def test_a_task_that_is_due_is_not_told_to_wait_for_the_best() -> None:
    history = best_is_awaited()
    steered(history, limit("best", 0))

    assert waits(history, at=NOON + 30).startswith("a free slot; its place")


LOADABLE: Final = (Residency(variant="fast", slots=1),)


def loading(device: str, *loaded: str, memory_mib: float = 0.0) -> events.DeviceAttached:
    offer = attached(device, variants=loaded)
    return replace(offer, mode=DeviceMode.DEDICATED, loadable=LOADABLE, memory_mib=memory_mib)


def test_devices_that_could_load_and_are_drained_are_named_with_whom_to_ask() -> None:
    history = given(model(), loading("gpu-0"), loading("gpu-1"), (B, accepted()))
    steered(history, drain("gpu-0"))
    steered(history, drain("gpu-1"))

    assert waits(history) == (
        f"a device to load one of its variants: gpu-0 is drained by cli:ada: {WHY}, and 1 more "
        "cannot either"
    )


def test_a_device_that_could_load_beside_a_drained_one_that_has_it_is_counted() -> None:
    history = given(model(), loading("gpu-0", "fast"), loading("gpu-1"), (B, accepted()))
    steered(history, drain("gpu-0"))
    (load,) = history.round(NOON + 1)

    assert isinstance(load.events[0], events.ResidencyGranted)
    assert waits(history) == "gpu-1, which loads fast since 12:00:01.000 and needs about 500 ms"


def test_what_no_device_could_ever_load_says_why() -> None:
    history = given(model(), loading("gpu-0", memory_mib=8.0), (B, accepted()))

    assert waits(history) == (
        "a device that has one of its variants loaded, or could load one: fast needs 64 MiB, the "
        "largest device that has it to load, gpu-0, has 8 MiB"
    )


def test_what_no_device_offers_says_so_while_devices_are_attached() -> None:
    history = given(model(), attached(variants=("label",)), (B, accepted()))

    assert waits(history) == (
        "a device that has one of its variants loaded, or could load one: fast is loaded on none, "
        "and none has it to load"
    )


def test_a_device_that_is_away_is_to_come_back() -> None:
    history = given(model(), attached(), suspended(), (B, accepted()))

    assert waits(history) == "a device to come back: cpu-0 is suspended"


KEPT_FREE: Final = events.SlotHeld(
    at=NOON + 1,
    applied_to=5,
    device="gpu-1",
    family="summarize",
    variants=("fast",),
    task=str(B),
    until=NOON + 4,
)


def test_a_device_that_is_kept_free_is_named_with_its_time_and_for_whom() -> None:
    history = given(model(), loading("gpu-0", "fast"), loading("gpu-1"), (A, accepted()))
    history.round(NOON)
    history.append(B, accepted())
    history.append(C, KEPT_FREE)

    assert waits(history).endswith(
        "; gpu-1 is kept free until 12:00:04.000 and loads nothing for its class, because gpu-0 "
        "should take it sooner"
    )


def test_of_who_should_take_it_sooner_those_that_load_are_told_and_no_drained_ones() -> None:
    history = given(model(), loading("gpu-0", "fast"), loading("gpu-2", "fast"), (A, accepted()))
    history.append(B, loading("gpu-1"), loading("gpu-3"))
    history.round(NOON)
    history.append(B, accepted())
    history.append(
        C,
        events.ResidencyGranted(
            at=NOON + 1,
            applied_to=6,
            device="gpu-3",
            generation=1,
            executor="executor-1",
            incarnation="first",
            load="fast",
            expected_s=0.5,
        ),
        KEPT_FREE,
    )

    steered(history, drain("gpu-0"))

    assert waits(history).endswith("gpu-2, gpu-3 (which is loading it) should take it sooner")


def test_a_device_that_was_kept_free_is_not_told_when_that_is_over() -> None:
    history = given(model(), loading("gpu-0", "fast"), loading("gpu-1"), (A, accepted()))
    history.round(NOON)
    history.append(B, accepted())
    history.append(C, KEPT_FREE)

    assert "kept free" in waits(history, at=NOON + 3)
    assert "kept free" not in waits(history, at=NOON + 4)
