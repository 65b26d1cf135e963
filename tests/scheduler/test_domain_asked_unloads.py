"""Unloads that operators ask for, and devices that make room for what is asked."""

import pytest

from pointsman.contracts.events import ScopeKind
from pointsman.contracts.steering import SteeringCommand
from tests.support.asked_residency import (
    a_pool,
    change_ends,
    changes,
    completes,
    dedicated,
    runs,
)
from tests.support.scheduling import NOON, A, B, C, accepted, attached, given, model
from tests.support.steering import (
    WHY,
    drain,
    limit,
    load,
    pause,
    refusal,
    steered,
    told,
    undrain,
    unload,
)


def test_a_dedicated_device_drains_before_it_takes_an_asked_model() -> None:
    history = a_pool(dedicated(loaded=("fast",)))
    runs(history, A)
    history.append(B, accepted(family="fast", variants=("fast",)))
    steered(history, load("slow", "gpu-0"))

    assert history.round(NOON) == []
    completes(history, A, "gpu-0")

    (change,) = changes(history, NOON + 1)
    assert (change.unload, change.load) == (("fast",), "slow")


def test_an_asked_model_is_unloaded_from_every_device_that_has_it() -> None:
    history = a_pool(dedicated("gpu-0", loaded=("fast",)), dedicated("gpu-1", loaded=("fast",)))

    assert told(history, unload("fast")) == "fast will be unloaded from gpu-0, gpu-1"

    (first,) = changes(history)
    assert (first.device, first.unload, first.load) == ("gpu-0", ("fast",), "")
    change_ends(history, first)
    (second,) = changes(history, NOON + 1)
    assert second.device == "gpu-1"
    change_ends(history, second)
    assert len(history.pool.steering.asks) == 0


def test_a_model_is_unloaded_when_its_calls_have_ended() -> None:
    history = a_pool(dedicated(loaded=("fast",)))
    runs(history, A)
    history.append(B, accepted(family="fast", variants=("fast",)))
    steered(history, unload("fast"))

    assert history.round(NOON) == []
    completes(history, A, "gpu-0")

    (change,) = changes(history, NOON + 1)
    assert change.unload == ("fast",)


def test_a_drained_device_can_be_emptied_but_not_filled() -> None:
    history = a_pool(dedicated(loaded=("fast",)))
    steered(history, drain("gpu-0"))

    assert refusal(history, load("slow", "gpu-0")).code == "not_loadable"
    steered(history, unload("fast", "gpu-0"))

    (change,) = changes(history)
    assert change.unload == ("fast",)


def test_what_only_drained_devices_could_load_names_the_drain_and_how_it_ends() -> None:
    history = a_pool(dedicated("gpu-0"), attached("cpu-0", variants=("label",)))
    steered(history, drain("gpu-0"))

    refused = refusal(history, load("slow"))

    assert f"gpu-0 is drained by cli:ada: {WHY}" in refused.message
    assert "`pointsman device undrain gpu-0 --reason ...`" in refused.next
    assert "mode dedicated or shared" in refusal(history, load("slow", "cpu-0")).next


def test_an_ask_waits_while_its_model_is_paused_or_its_device_drained() -> None:
    history = a_pool(dedicated())
    steered(history, load("slow"))
    steered(history, drain("gpu-0"))
    assert changes(history) == []
    steered(history, pause(ScopeKind.MODEL, "slow"))
    steered(history, undrain("gpu-0"))

    assert changes(history) == []
    assert len(history.pool.steering.asks) == 1


def test_what_was_asked_for_is_taken_back_by_asking_for_the_opposite() -> None:
    history = a_pool(dedicated(loaded=("fast",)))
    steered(history, drain("gpu-0"))
    steered(history, undrain("gpu-0"))
    steered(history, load("slow"))

    assert "taken back" in told(history, unload("slow"))

    assert len(history.pool.steering.asks) == 0
    steered(history, unload("fast"))
    steered(history, load("fast", "gpu-0"))
    assert len(history.pool.steering.asks) == 0


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (load("absent"), "unknown_model"),
        (load("fast", "absent"), "no_such_device"),
        (unload("fast", "absent"), "no_such_device"),
        (unload("absent"), "unknown_model"),
        (load("slow", "cpu-0"), "not_loadable"),
        (unload("fast", "cpu-0"), "device_fixed"),
    ],
)
def test_what_cannot_be_done_is_refused(command: SteeringCommand, code: str) -> None:
    history = a_pool(attached("cpu-0"), dedicated())

    assert refusal(history, command).code == code


def test_who_cannot_unload_a_model_is_told_how_to_pause_it() -> None:
    history = a_pool(attached("cpu-0"))

    told_next = refusal(history, unload("fast", "cpu-0")).next

    assert "`pointsman pause model fast --reason ...`" in told_next


def test_work_of_a_drained_device_is_loaded_elsewhere() -> None:
    history = a_pool(dedicated("gpu-0", loaded=("fast",)), dedicated("gpu-1"))
    steered(history, drain("gpu-0"))
    history.append(A, accepted(family="fast", variants=("fast",)))

    (change,) = changes(history)

    assert (change.device, change.load) == ("gpu-1", "fast")


def test_a_paused_model_makes_room_for_another_of_its_family() -> None:
    history = given(
        model("slow", quality=0.9),
        model("fast"),
        dedicated(loaded=("slow",)),
        (A, accepted(variants=("slow", "fast"))),
    )
    steered(history, pause(ScopeKind.MODEL, "slow"))

    (change,) = changes(history, NOON + 60)

    assert (change.unload, change.load) == (("slow",), "fast")


def test_a_device_that_a_limit_keeps_idle_takes_another_model() -> None:
    history = a_pool(dedicated("gpu-0", loaded=("fast",)), dedicated("gpu-1", loaded=("fast",)))
    steered(history, limit("fast", 1))
    runs(history, A)
    history.append(B, accepted(family="fast", variants=("fast",)))
    history.append(C, accepted(family="slow", variants=("slow",)))

    (change,) = changes(history)

    assert (change.device, change.load) == ("gpu-1", "slow")
