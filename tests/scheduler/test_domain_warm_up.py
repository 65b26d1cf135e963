"""Loads that nobody has asked for yet."""

import pytest

from pointsman.contracts.events import DeviceMode, ForecastMade, PoolPaused, ScopeKind
from pointsman.contracts.streams import stream_id
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.scheduling import NOON

DEDICATED = {"gpu-0": DeviceMode.DEDICATED}
TWO = {"gpu-0": DeviceMode.DEDICATED, "gpu-1": DeviceMode.DEDICATED}
A, B = loading_model("a"), loading_model("b")


def test_an_idle_device_is_warmed_up_for_what_is_likely_to_come() -> None:
    world = LoadingWorld([A, B], DEDICATED)
    world.history.append(stream_id("forecast", "b"), forecast("b", 1.0), forecast("a", 0.1))

    world.run(100)

    change = world.changes[0]
    assert (change.load, change.cause) == ("b", "predicted")
    assert change.reason.startswith("a task of b is expected")


@pytest.mark.parametrize(
    ("idle_s", "wanted", "loads"),
    [(90.0, 1.0, ["a"]), (30.0, 2.0, ["a"]), (90.0, 2.0, ["a", "b"])],
    ids=["a little more likely", "used a moment ago", "clearly colder"],
)
def test_a_warm_up_displaces_only_what_is_clearly_colder(
    idle_s: float, wanted: float, loads: list[str]
) -> None:
    world = LoadingWorld([A, B], DEDICATED)
    world.submit("a", run_s=10.0)
    world.run(30)
    world.now = NOON + 30 + idle_s
    world.history.append(stream_id("forecast", "b"), forecast("a", 0.5), forecast("b", wanted))

    world.run(0)

    assert [change.load for change in world.changes] == loads


def test_a_warm_up_displaces_nothing_while_another_device_has_room() -> None:
    world = LoadingWorld([A, B], TWO)
    world.submit("a", run_s=10.0)
    world.run(30)
    world.now = NOON + 120
    world.history.append(stream_id("forecast", "b"), forecast("a", 0.5), forecast("b", 2.0))

    world.run(0)

    first, second = world.changes
    assert (second.load, second.unload) == ("b", ())
    assert second.device != first.device


def test_a_family_that_is_paused_is_not_warmed_up() -> None:
    world = LoadingWorld([A, B], DEDICATED)
    world.history.append(stream_id("pool", "main"), family_paused("b"))
    world.history.append(stream_id("forecast", "b"), forecast("b", 1.0))

    world.run(100)

    assert not world.changes


def family_paused(family: str) -> PoolPaused:
    return PoolPaused(
        at=NOON,
        applied_to=0,
        pool="main",
        by="cli:ada",
        reason="a review",
        kind=ScopeKind.FAMILY,
        name=family,
    )


def forecast(family: str, per_s: float) -> ForecastMade:
    return ForecastMade(
        at=NOON,
        applied_to=0,
        family=family,
        bucket_s=10.0,
        measured_per_s=per_s,
        ewma_per_s=per_s,
        naive_per_s=per_s,
        buckets=3,
    )
