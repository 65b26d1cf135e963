"""What devices did while a task waited, told after it is over."""

from typing import Final

import pytest
from msgspec.structs import replace

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode, Residency, ScopeKind
from tests.support.kept_back import one_waits, told, waits
from tests.support.scheduling import NOON, A, B, accepted, attached, given, model
from tests.support.steering import drain, steered


def test_a_device_that_was_away_or_came_later_is_told() -> None:
    history = given(model(), (A, accepted()))
    stream = given(attached()).entries[0].stream
    history.append(stream, replace(attached(), at=NOON + 3))
    history.append(
        stream, events.DeviceSuspended(at=NOON + 5, applied_to=3, device="cpu-0", reason="canary")
    )
    history.append(stream, events.DeviceResumed(at=NOON + 8, applied_to=4, device="cpu-0"))
    history.append(
        stream,
        events.DeviceDetached(at=NOON + 9, applied_to=5, device="cpu-0", reason="executor_gone"),
    )

    assert told(history) == [
        "From 12:00:00.000 to 12:00:03.000: cpu-0 was not attached yet.",
        "From 12:00:05.000 to 12:00:08.000: cpu-0 was suspended (canary).",
        "From 12:00:09.000 on: cpu-0 was detached (executor_gone).",
    ]


def test_an_open_breaker_is_told_with_what_had_opened_it() -> None:
    history = one_waits()
    opened = events.BreakerOpened(
        at=NOON + 1,
        applied_to=4,
        device="cpu-0",
        variant="fast",
        until=NOON + 61,
        reason="5 calls in a row have failed (model_error)",
        code="model_error",
        failures=5,
        calls=5,
    )
    closed = events.BreakerClosed(
        at=NOON + 62, applied_to=5, device="cpu-0", variant="fast", reason="the probe has come back"
    )
    history.append(B, opened, closed)

    assert told(history) == [
        (
            "From 12:00:01.000 to 12:01:02.000: the breaker of fast on cpu-0 was open: "
            "5 calls in a row have failed (model_error)."
        )
    ]


LOADABLE: Final = tuple(Residency(variant=name, slots=1) for name in ("fast", "label"))


def dedicated(device: str, *loaded: str) -> events.DeviceAttached:
    offer = attached(device, variants=loaded)
    return replace(offer, mode=DeviceMode.DEDICATED, loadable=LOADABLE)


KEPT_FREE: Final = events.SlotHeld(
    at=NOON + 1,
    applied_to=4,
    device="gpu-1",
    family="summarize",
    variants=("fast",),
    task=str(A),
    until=NOON + 5,
)


def kept_free(*before: Decision) -> list[str]:
    """What is told of gpu-1, which was kept free while gpu-0 had the model."""
    history = given(model(), dedicated("gpu-0", "fast"), dedicated("gpu-1"), (A, accepted()))
    history.append(B, *before)
    history.append(B, KEPT_FREE)
    return [line for line in told(history) if "kept free" in line]


NOBODY: Final = (
    "From 12:00:01.000 to 12:00:05.000: gpu-1 was kept free and loaded nothing for its class, "
    "though no device could take it sooner."
)


@pytest.mark.parametrize(
    "before",
    [
        (events.DrainStarted(at=NOON, applied_to=4, device="gpu-0", by="cli:ada", reason="new"),),
        (
            events.PoolPaused(
                at=NOON,
                applied_to=4,
                pool="main",
                kind=ScopeKind.FAMILY,
                name="summarize",
                by="cli:ada",
                reason="new",
            ),
        ),
        (events.DeviceDetached(at=NOON, applied_to=4, device="gpu-0", reason="gone"),),
    ],
    ids=["drained", "paused", "detached"],
)
def test_nobody_was_expected_of_a_device_that_took_nothing(before: tuple[Decision, ...]) -> None:
    assert kept_free(*before) == [NOBODY]


def test_a_device_that_was_loading_the_model_is_not_told_to_have_had_it() -> None:
    begun = events.ResidencyGranted(
        at=NOON + 1,
        applied_to=4,
        device="gpu-2",
        generation=1,
        executor="executor-1",
        incarnation="first",
        load="fast",
    )
    done = events.ResidencyChanged(
        at=NOON + 1, applied_to=5, device="gpu-2", generation=1, residency=LOADABLE[:1]
    )

    loading, loaded = kept_free(begun), kept_free(begun, done)

    assert "because gpu-0, gpu-2 (which was loading it) was expected" in loading[0]
    assert "because gpu-0, gpu-2 was expected" in loaded[0]


def test_a_device_that_was_kept_free_names_who_has_the_model() -> None:
    history = given(model(), dedicated("gpu-0", "fast"), dedicated("gpu-1"), (A, accepted()))
    other = replace(KEPT_FREE, family="classify", variants=("label",))
    history.append(B, KEPT_FREE, replace(other, device="gpu-2"))

    assert told(history) == [
        (
            "From 12:00:01.000 to 12:00:05.000: gpu-1 was kept free and loaded nothing for its "
            "class, because gpu-0 was expected to take it sooner."
        )
    ]


def test_where_not_everything_was_looked_at_that_is_said() -> None:
    history = one_waits()
    steered(history, drain(), at=NOON + 1)

    (each,) = waits(history, looked_at=0, read_from=77).values()

    assert each.sentences[-2:] == (
        "Of the 1 devices that could run it, 0 were looked at.",
        "Not all that devices did before position 77 was looked at.",
    )


def ended(at: float, event: type[events.Decision], **facts: object) -> events.Decision:
    facts = {"at": at, "applied_to": 4, "device": "gpu-0", **facts}
    return event(**facts)  # pyright: ignore[reportArgumentType]  # any fact


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (ended(NOON + 3, events.DeviceResumed), "gpu-0 was suspended"),
        (
            ended(NOON + 3, events.BreakerClosed, variant="fast", reason="the probe has come back"),
            "the breaker of fast on gpu-0 was open",
        ),
        (
            ended(
                NOON + 3, events.ResidencyChanged, generation=9, residency=LOADABLE, loaded="fast"
            ),
            "gpu-0 loaded fast",
        ),
    ],
    ids=["resumed", "closed", "loaded"],
)
def test_of_what_began_before_anything_that_was_read_the_end_is_told(
    event: events.Decision, words: str
) -> None:
    history = one_waits()
    history.append(B, ended(NOON - 9, events.SlotHeld, family="", variants=(), task="", until=0.0))
    history.append(B, event)

    assert told(history) == [f"From 12:00:00.000 to 12:00:03.000: {words}."]


def test_breakers_of_other_variants_are_not_told() -> None:
    history = one_waits()
    history.append(B, ended(NOON + 3, events.BreakerClosed, variant="label", reason="well again"))

    assert told(history) == []
