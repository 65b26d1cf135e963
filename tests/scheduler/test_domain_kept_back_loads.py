"""What devices loaded while a task waited, told after it is over."""

from collections.abc import Callable
from typing import Final

import pytest
from msgspec.structs import replace

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode, Residency
from tests.support.kept_back import one_waits, told
from tests.support.scheduling import NOON, A, B, accepted, attached, given, model

LOADABLE: Final = tuple(Residency(variant=name, slots=1) for name in ("fast", "label"))


def dedicated(device: str, *loaded: str) -> events.DeviceAttached:
    offer = attached(device, variants=loaded)
    return replace(offer, mode=DeviceMode.DEDICATED, loadable=LOADABLE)


def test_the_load_that_it_waited_for_is_told_when_it_is_over() -> None:
    history = given(model(), dedicated("gpu-0", "label"), (A, accepted()))
    (decided,) = history.round(NOON + 1)
    (load,) = decided.events
    assert isinstance(load, events.ResidencyGranted)
    history.append(
        decided.stream,
        events.ResidencyChanged(
            at=NOON + 4,
            applied_to=4,
            device="gpu-0",
            generation=load.generation,
            residency=LOADABLE[:1],
            loaded="fast",
            load_s=3.0,
        ),
    )
    history.round(NOON + 4)

    assert told(history) == ["From 12:00:01.000 to 12:00:04.000: gpu-0 loaded fast, for this task."]


def loads(**given_: object) -> Callable[..., events.ResidencyGranted]:
    def made(**more: object) -> events.ResidencyGranted:
        facts: dict[str, object] = {
            "at": NOON + 1,
            "applied_to": 4,
            "device": "gpu-0",
            "generation": 1,
            "executor": "executor-1",
            "incarnation": "first",
            "load": "label",
            **given_,
            **more,
        }
        return events.ResidencyGranted(**facts)  # pyright: ignore[reportArgumentType]  # any fact

    return made


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            loads()(task=str(B), tenant="globex", reason="it is due"),
            f"for task {B} of tenant globex, because it is due",
        ),
        (loads()(by="cli:ada", cause="operator"), "as cli:ada had asked"),
        (loads()(cause="predicted", reason="a request is likely"), "because a request is likely"),
        (loads()(unload=("fast",)), "was loading label in place of fast"),
        (
            loads(load="")(unload=("fast",), cause="idle", reason="nothing ran"),
            "was unloading fast, because nothing ran",
        ),
    ],
    ids=["for another", "for an operator", "predicted", "in place of another", "unload"],
)
def test_what_a_device_loaded_instead_is_told_with_whom_it_was_for(
    event: events.ResidencyGranted, words: str
) -> None:
    history = one_waits()
    history.append(B, event)

    (line,) = told(history)

    assert line.startswith("From 12:00:01.000 on: gpu-0 ")
    assert words in line


def test_a_load_that_failed_says_so() -> None:
    history = one_waits()
    failed = events.ResidencyFailed(
        at=NOON + 5,
        applied_to=5,
        device="gpu-0",
        generation=1,
        code="load_failed",
        message="no room",
    )
    history.append(B, loads()(load="fast"), failed)

    (line,) = told(history)

    assert line == (
        "From 12:00:01.000 to 12:00:05.000: gpu-0 was to load fast, because queue, and that "
        "failed: no room."
    )


def again(device: str = "gpu-0", *loaded: str, incarnation: str = "second") -> Decision:
    return replace(dedicated(device, *loaded), at=NOON + 4, incarnation=incarnation)


@pytest.mark.parametrize(
    ("attaches", "words"),
    [
        (again(), "was to load label in place of fast, because queue, and did not: its executor"),
        (again("gpu-0", "label"), "loaded label in place of fast, because queue, and its executor"),
    ],
    ids=["nothing of it is there", "its model is there"],
)
def test_a_load_that_its_executor_did_not_live_to_report_says_so(
    attaches: Decision, words: str
) -> None:
    history = one_waits()
    history.append(B, loads()(unload=("fast",)), attaches)

    (line,) = told(history)

    assert line.startswith(f"From 12:00:01.000 to 12:00:04.000: gpu-0 {words} was gone")


def test_an_unload_that_was_cut_says_so() -> None:
    history = one_waits()
    history.append(B, loads(load="")(unload=("fast",), cause="idle", reason="nothing ran"), again())

    assert told(history) == [
        (
            "From 12:00:01.000 to 12:00:04.000: gpu-0 was to unload fast, because nothing ran, "
            "and did not: its executor was gone."
        )
    ]


def test_a_load_goes_on_while_its_executor_attaches_again() -> None:
    history = one_waits()
    done = events.ResidencyChanged(
        at=NOON + 5, applied_to=5, device="gpu-0", generation=1, residency=(), loaded="label"
    )
    history.append(B, loads()(), again(incarnation="first"), done)

    assert told(history) == [
        "From 12:00:01.000 to 12:00:05.000: gpu-0 loaded label, because queue."
    ]


@pytest.mark.parametrize(
    ("loads_done", "last"),
    [
        (30, "And 22 more things of that kind while it waited."),
        (9, "And 1 more thing of that kind while it waited."),
    ],
)
def test_of_many_loads_a_few_are_told_and_the_others_are_counted(
    loads_done: int, last: str
) -> None:
    history = one_waits()
    for number in range(loads_done):
        at = NOON + 1 + 2 * number
        done = events.ResidencyChanged(
            at=at + 1, applied_to=4, device="gpu-0", generation=number + 1, residency=()
        )
        history.append(B, loads()(at=at, generation=number + 1), done)

    lines = told(history)

    assert len(lines) == 9
    assert lines[-1] == last
