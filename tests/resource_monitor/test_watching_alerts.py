"""Alerts on a log in memory: raised once, cleared once, whatever is restarted or away."""

import pytest

from pointsman.contracts.events import AlertCleared, AlertRaised, DeviceSampled
from pointsman.contracts.message import PriorityClass
from pointsman.resource_monitor.domain.measuring import Figures, GpuReading
from tests.resource_monitor.fakes import GPU_A, FakePoolDevices, device, rating
from tests.resource_monitor.watched import Watched, World

FULL = GpuReading("GPU-a", Figures(0.5, 0.95, 81_920.0, 55.0, 300.0))


@pytest.fixture
def world() -> World:
    return World(pool=FakePoolDevices(device("cpu-0"), device("gpu-0", "gpu")))


async def test_a_full_gpu_raises_once_and_clears_once_with_its_samples(world: World) -> None:
    world.gpus.gpus = [FULL]
    watched = await Watched.on(world)
    await watched.pass_seconds(30)
    world.gpus.gpus = [GPU_A]

    await watched.pass_seconds(30)

    raised, cleared = await world.recorded(AlertRaised, AlertCleared)
    samples = [each for each in await world.recorded() if isinstance(each, DeviceSampled)]
    assert isinstance(raised, AlertRaised)
    assert isinstance(cleared, AlertCleared)
    assert (raised.alert, raised.subject, raised.value) == ("gpu_memory", "gpu-0", 0.95)
    assert raised.at - raised.since == pytest.approx(10)
    assert set(raised.samples) <= {each.sample for each in samples}
    assert cleared.raised_at == raised.at


async def test_a_full_memory_of_a_cpu_device_is_a_reading_only(world: World) -> None:
    world.host.figures = Figures(0.5, 0.99, 16_384.0)
    watched = await Watched.on(world)

    await watched.pass_seconds(30)

    assert await world.recorded(AlertRaised) == []


async def test_a_lost_gpu_neither_raises_nor_clears(world: World) -> None:
    world.gpus.gpus = [FULL]
    watched = await Watched.on(world)
    await watched.pass_seconds(15)
    world.gpus.lose()

    await watched.pass_seconds(60)

    assert len(await world.recorded(AlertRaised, AlertCleared)) == 1


async def test_an_alert_about_a_device_that_is_detached_is_over(world: World) -> None:
    world.gpus.gpus = [FULL]
    watched = await Watched.on(world)
    await watched.pass_seconds(15)
    world.pool.rows = (device("gpu-0", "gpu", state="detached"),)

    await watched.pass_seconds(15)

    _, cleared = await world.recorded(AlertRaised, AlertCleared)
    assert isinstance(cleared, AlertCleared)
    assert (cleared.reason, cleared.value) == ("the device is detached", None)


async def test_a_restart_neither_raises_nor_clears_again(world: World) -> None:
    world.gpus.gpus = [FULL]
    await (await Watched.on(world)).pass_seconds(15)

    watched = await Watched.on(world)
    await watched.pass_seconds(60)

    (row,) = watched.monitor.alerts(everything=True)
    assert len(await world.recorded(AlertRaised, AlertCleared)) == 1
    assert (row.state, row.subject) == ("raised", "gpu-0")


async def test_a_log_that_is_away_delays_an_alert_and_loses_none(world: World) -> None:
    world.gpus.gpus = [FULL]
    watched = await Watched.on(world)
    world.store.failure = "disk full"
    await watched.pass_seconds(20)
    world.store.failure = None

    await watched.pass_seconds(20)

    (raised,) = [each for each in await world.recorded() if isinstance(each, AlertRaised)]
    assert raised.at - raised.since == pytest.approx(20)


async def test_slow_tasks_raise_the_latency_alert(world: World) -> None:
    watched = await Watched.on(world)
    for _ in range(8):
        for _ in range(10):
            world.log.task(world.clock.wall() + 0.2, world.clock.wall() + 0.7)
        await watched.pass_seconds(1)

    (raised,) = [each for each in await world.recorded() if isinstance(each, AlertRaised)]
    assert (raised.alert, raised.subject) == ("task_latency", "main")
    assert raised.value == pytest.approx(0.5)


async def test_a_total_stall_raises_the_latency_alert(world: World) -> None:
    watched = await Watched.on(world)
    world.log.task(world.clock.wall())

    await watched.pass_seconds(5)

    (raised,) = [each for each in await world.recorded() if isinstance(each, AlertRaised)]
    assert raised.alert == "task_latency"
    assert raised.value == pytest.approx(4.0, abs=0.1)


async def test_waiting_batch_tasks_raise_nothing(world: World) -> None:
    watched = await Watched.on(world)
    world.log.task(world.clock.wall(), priority_class=PriorityClass.BATCH)

    await watched.pass_seconds(30)

    assert await world.recorded(AlertRaised) == []


async def test_failures_raise_and_clear_the_error_rate(world: World) -> None:
    watched = await Watched.on(world)
    for number in range(25):
        world.log.task(world.clock.wall(), world.clock.wall() + 0.01, failed=number == 0)

    await watched.pass_seconds(100)

    raised, cleared = await world.recorded(AlertRaised, AlertCleared)
    assert isinstance(raised, AlertRaised)
    assert isinstance(cleared, AlertCleared)
    assert (raised.alert, raised.value) == ("error_rate", pytest.approx(0.04))


async def test_falling_quality_raises_the_quality_alert(world: World) -> None:
    watched = await Watched.on(world)
    world.log.add(world.clock.wall(), rating(0.9, ratings=20))
    world.log.add(world.clock.wall() + 1, rating(0.8, ratings=21))

    await watched.pass_seconds(8)

    (raised,) = [each for each in await world.recorded() if isinstance(each, AlertRaised)]
    assert (raised.alert, raised.subject) == ("quality_drop", "summarize")
    assert raised.value == pytest.approx(0.1)


async def test_a_feed_that_is_behind_raises_nothing(world: World) -> None:
    watched = await Watched.on(world)
    for _ in range(25):
        world.log.task(world.clock.wall(), world.clock.wall() + 5, failed=True)

    await watched.pass_seconds(60, leader=False)

    (figures,) = (await watched.questions.snapshot()).pools
    assert await world.recorded(AlertRaised) == []
    assert (figures.error_rate, figures.queued) == (None, None)
