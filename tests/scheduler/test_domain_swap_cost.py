"""What a swap costs: the load, and the unload before it as far as any was measured."""

from typing import Final

import pytest

from pointsman.contracts.events import DeviceMode, ResidencyChanged
from tests.scheduler.test_domain_residency_ends import A, loading, take, told
from tests.support.loading_world import LoadingWorld, loading_model

DEDICATED: Final = {"gpu-0": DeviceMode.DEDICATED}
MODELS: Final = [loading_model("a"), loading_model("b")]


def swapping(*, unload_s: float) -> LoadingWorld:
    """A device that has loaded `a`, given it up for `b`, and then the other way round."""
    world = LoadingWorld(MODELS, DEDICATED, unload_s={"a": unload_s, "b": unload_s})
    for number, variant in enumerate("aba"):
        world.submit(variant, at_s=200.0 * number)
    world.run(550)
    return world


def expected(world: LoadingWorld) -> list[tuple[float, float]]:
    return [(change.expected_s, change.expected_unload_s) for change in world.changes]


def test_an_unload_counts_from_the_first_that_was_measured() -> None:
    world = swapping(unload_s=1.5)

    assert expected(world) == [(20.0, 0.0), (20.0, 0.0), (21.5, 1.5)]


def test_the_unload_is_paid_for_like_the_load() -> None:
    free, dear = swapping(unload_s=0.0), swapping(unload_s=1.5)

    spent_s = [world.pool.devices["gpu-0"].credit.spent_s for world in (free, dear)]

    assert spent_s[1] - spent_s[0] == pytest.approx(1.5)
    assert [world.pool.models.swap_s for world in (free, dear)] == [(20.0, 20.0), (21.5, 20.0)]


def test_a_report_that_tells_only_the_sum_decides_as_ever() -> None:
    world = loading()

    (event,) = take(world.history, told(A))

    assert isinstance(event, ResidencyChanged)
    assert (event.unload_s, event.unloads_s) == (0.5, None)
    assert world.pool.models.swap_s == (11.0, 2.0)


def test_what_the_executor_measured_of_each_model_is_recorded() -> None:
    world = LoadingWorld(MODELS, {"gpu-0": DeviceMode.SHARED}, memory_mib=250.0)
    world.unload_s = {"a": 1.0, "b": 3.0}
    world.submit("a")
    world.submit("b", at_s=100.0)

    world.run(2_000)

    ends = [e.event for e in world.history.entries if isinstance(e.event, ResidencyChanged)]
    assert (ends[-1].unload_s, ends[-1].unloads_s) == (4.0, {"a": 1.0, "b": 3.0})
    assert world.pool.models.unloads.expected_s(["a", "b"]) == 4.0


def test_a_model_that_was_never_unloaded_is_expected_to_take_as_long_as_others() -> None:
    world = swapping(unload_s=1.5)

    assert world.pool.models.unloads.expected_s(["new"]) == 1.5


def test_a_task_expires_that_only_a_swap_without_its_unload_would_save() -> None:
    """It needs 5 s to unload, 20 s to load and 10 s to run."""
    world = LoadingWorld(MODELS, DEDICATED, unload_s={"a": 5.0, "b": 5.0})
    for number, variant in enumerate("aba"):
        world.submit(variant, at_s=200.0 * number)
    hopeless = world.submit("b", at_s=600.0, deadline_in_s=34.0)
    in_time = world.submit("b", at_s=700.0, deadline_in_s=36.0)

    world.run(1_000)

    assert world.fates[hopeless].expired
    assert world.fates[in_time].ended == 735.0
