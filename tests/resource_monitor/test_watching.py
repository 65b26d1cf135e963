"""Devices are read, canaries compared and demand counted, on a log in memory."""

import pytest

from pointsman.contracts.canaries import CanaryAnswered, CanaryFailed
from pointsman.contracts.events import (
    CanaryChanged,
    DeviceSampled,
    ForecastMade,
)
from tests.resource_monitor.fakes import GPU_A, FakePoolDevices, device
from tests.resource_monitor.watched import Watched, World


@pytest.fixture
def world() -> World:
    return World(pool=FakePoolDevices(device("cpu-0"), device("gpu-0", "gpu")))


async def test_every_device_is_published_each_second_and_recorded_on_change(world: World) -> None:
    world.gpus.gpus = [GPU_A]
    watched = await Watched.on(world)

    await watched.pass_seconds(5)

    samples = await world.recorded(DeviceSampled)
    assert len(world.readings.published) == 10
    assert [(each.device, each.source) for each in samples if isinstance(each, DeviceSampled)] == [
        ("cpu-0", "psutil"),
        ("gpu-0", "nvml"),
    ]
    ids = {each.sample for each in samples if isinstance(each, DeviceSampled)}
    assert {reading.sample for reading in world.readings.published[-2:]} == ids


async def test_a_restart_samples_nothing_that_has_not_changed(world: World) -> None:
    world.gpus.gpus = [GPU_A]
    await (await Watched.on(world)).pass_seconds(3)

    await (await Watched.on(world)).pass_seconds(3)

    assert len(await world.recorded(DeviceSampled)) == 2


async def test_a_gpu_without_driver_is_absent_and_one_that_falls_off_is_lost(world: World) -> None:
    watched = await Watched.on(world)
    await watched.pass_seconds(3)
    world.gpus.gpus = [GPU_A]
    await watched.pass_seconds(3)
    world.gpus.lose()

    await watched.pass_seconds(3)

    samples = await world.recorded(DeviceSampled)
    states = [e.state for e in samples if isinstance(e, DeviceSampled) and e.device == "gpu-0"]
    assert states == ["absent", "measured", "lost"]


async def test_devices_stay_known_while_the_scheduler_is_silent(world: World) -> None:
    watched = await Watched.on(world)
    await watched.look()
    world.pool.rows = None

    await watched.pass_seconds(10)

    snapshot = await watched.questions.snapshot()
    states = {each.name: each.state for each in snapshot.inputs}
    assert states["devices"] == "unknown"
    assert [each.reading.state for each in snapshot.devices] == ["measured", "absent"]


async def test_random_bytes_are_asked_for_each_time(world: World) -> None:
    world.pool.rows = (device(),)
    watched = await Watched.on(world)

    await watched.pass_seconds(25)

    payloads = [canary.payload for _, canary in world.executors.asked]
    assert len(set(payloads)) == len(payloads) == 3
    assert [type(event) for event in await world.recorded(CanaryChanged)] == [CanaryChanged]


async def test_other_variants_are_compared_with_their_first_answer(world: World) -> None:
    world.pool.rows = (device(variants=("summarize_lead",)),)
    first = CanaryAnswered(output=b"lead", run_s=0.1)
    other = CanaryAnswered(output=b"", run_s=0.1)
    world.executors.answers = [first, first, other, other, first]
    watched = await Watched.on(world)

    await watched.pass_seconds(50)

    changes = [each for each in await world.recorded() if isinstance(each, CanaryChanged)]
    assert [each.healthy for each in changes] == [True, False, True]
    assert "the first answer, from now on the reference" in changes[0].detail
    assert len({canary.payload for _, canary in world.executors.asked}) == 1


async def test_an_executor_that_does_not_answer_says_nothing_about_its_device(
    world: World,
) -> None:
    world.pool.rows = (device(),)
    watched = await Watched.on(world)
    await watched.pass_seconds(1)
    world.executors.answers = [None] * 4

    await watched.pass_seconds(40)

    (state,) = (await watched.questions.snapshot()).devices
    assert len(await world.recorded(CanaryChanged)) == 1
    assert state.canary == "unknown"


async def test_busy_and_suspended_devices_are_not_judged(world: World) -> None:
    world.pool.rows = (device(), device("cpu-1", state="suspended"))
    world.executors.answers = [CanaryFailed(code="busy", message="no slot", busy=True)] * 5
    watched = await Watched.on(world)

    await watched.pass_seconds(45)

    assert {canary.device for _, canary in world.executors.asked} == {"cpu-0"}
    assert await world.recorded(CanaryChanged) == []


async def test_a_restart_tells_no_canary_again(world: World) -> None:
    world.pool.rows = (device(),)
    await (await Watched.on(world)).pass_seconds(2)

    await (await Watched.on(world)).pass_seconds(2)

    assert len(world.executors.asked) == 2
    assert len(await world.recorded(CanaryChanged)) == 1


async def test_demand_is_forecast_once_per_bucket_and_family(world: World) -> None:
    watched = await Watched.on(world)
    for _ in range(40):
        world.log.task(world.clock.wall() + 0.5, world.clock.wall() + 0.6)
        await watched.pass_seconds(1)

    made = [each for each in await world.recorded() if isinstance(each, ForecastMade)]
    # The first bucket that was seen from its beginning ended 20 s after the start.
    assert [each.measured_per_s for each in made] == [1.0, 1.0]
    assert made[1].ewma_wape == 0.0
    assert [row.state for row in watched.questions.forecasts()] == ["fresh"]


async def test_a_restart_continues_the_forecasts_of_its_predecessor(world: World) -> None:
    world.clock.passes(9.5)
    before = await Watched.on(world)
    for _ in range(23):
        world.log.task(world.clock.wall() + 0.1)
        await before.pass_seconds(1)
    after = await Watched.on(world)
    after.window.start(len(world.log.events), [], [])
    for _ in range(20):
        world.log.task(world.clock.wall() + 0.1)
        await after.pass_seconds(1)

    made = [each for each in await world.recorded() if isinstance(each, ForecastMade)]
    assert len({each.at for each in made}) == len(made) == 3
    assert [each.buckets for each in made] == [0, 1, 1]


async def test_no_forecast_is_made_while_the_feed_is_behind(world: World) -> None:
    watched = await Watched.on(world)
    world.log.task(world.clock.wall() + 12)

    await watched.pass_seconds(30, leader=False)
    silent = await world.recorded(ForecastMade)
    await watched.pass_seconds(1)

    assert silent == []
    assert len(await world.recorded(ForecastMade)) == 2


async def test_facts_that_come_again_count_once(world: World) -> None:
    watched = await Watched.on(world)
    for _ in range(25):
        world.log.task(world.clock.wall(), world.clock.wall() + 0.1)
    for _ in range(3):
        await watched.look()

    (figures,) = (await watched.questions.snapshot()).pools
    assert figures.ended == 25
