"""The questions and the readings of pools, in memory and on a real server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from pointsman.contracts import subjects
from pointsman.contracts.commands import Rejected, decode_answer
from pointsman.contracts.message import Message
from pointsman.contracts.resource_monitor import (
    AlertRow,
    AskMonitor,
    FamilyTasks,
    ForecastRow,
    ListAlerts,
    ReadingRow,
    Snapshot,
)
from pointsman.resource_monitor.domain.measuring import Figures, GpuReading
from pointsman.resource_monitor.handlers import build_query_router, build_telemetry_router
from pointsman.runtime.broker import ServiceBroker, build_broker
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.resource_monitor.fakes import FakePoolDevices, MemoryTaskView, device, pool_sample
from tests.resource_monitor.watched import Watched, World

T = TypeVar("T")

FAMILIES = (FamilyTasks(family="summarize", accepted=3, open=1, completed=2),)
twice = pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])


def broker_on(url: str) -> ServiceBroker:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    return build_broker(NatsSettings(url=url), name="resource_monitor", on_fatal=fail)


@asynccontextmanager
async def answering(url: str, watched: Watched, *, real: bool) -> AsyncGenerator[NatsBroker]:
    broker = broker_on(url)
    broker.include_router(build_query_router(watched.questions))
    broker.include_router(build_telemetry_router(watched.window))
    async with TestNatsBroker(broker, with_real=real) as running:
        yield running


async def asked(broker: NatsBroker, verb: str, question: Message, type_: type[T]) -> T:
    subject = subjects.query("resource_monitor", verb)
    reply = await broker.request(msgspec.json.encode(question), subject, timeout=PATIENCE_S)
    return msgspec.json.decode(reply.body, type=type_)


@pytest.fixture
async def watched() -> Watched:
    """A monitor that has seen one GPU full for a while, and one empty again."""
    world = World(
        pool=FakePoolDevices(device("gpu-0", "gpu"), device("cpu-0")), view=MemoryTaskView(FAMILIES)
    )
    watched = await Watched.on(world)
    for memory in (0.95, 0.1, 0.95):
        world.gpus.gpus = [GpuReading("GPU-a", Figures(0.5, memory, 81_920.0))]
        await watched.pass_seconds(15)
    return watched


@twice
async def test_the_snapshot_shows_everything(real: bool, nats_url: str, watched: Watched) -> None:
    async with answering(nats_url, watched, real=real) as broker:
        snapshot = await asked(broker, "snapshot", AskMonitor(), Snapshot)

    gpu, cpu = snapshot.devices
    assert (gpu.reading.memory, gpu.reading.source, gpu.canary) == (0.95, "nvml", "healthy")
    assert (cpu.reading.state, cpu.reading.source) == ("measured", "psutil")
    assert snapshot.families == FAMILIES
    assert [alert.subject for alert in snapshot.alerts] == ["gpu-0"]
    assert {each.name: each.state for each in snapshot.inputs} == {
        "devices": "fresh",
        "feed": "fresh",
        "pool main": "fresh",
        "nvml": "fresh",
        "triton metrics": "off",
    }


@twice
async def test_alerts_are_listed_newest_first(real: bool, nats_url: str, watched: Watched) -> None:
    async with answering(nats_url, watched, real=real) as broker:
        standing = await asked(broker, "alerts", ListAlerts(), list[AlertRow])
        everything = await asked(broker, "alerts", ListAlerts(all=True), list[AlertRow])
        newest = await asked(broker, "alerts", ListAlerts(all=True, limit=1), list[AlertRow])

    assert [row.state for row in standing] == ["raised"]
    assert [row.state for row in everything] == ["raised", "cleared"]
    assert everything[0].position > everything[1].position
    assert newest == everything[:1]


@twice
async def test_readings_and_forecasts_are_listed(
    real: bool, nats_url: str, watched: Watched
) -> None:
    async with answering(nats_url, watched, real=real) as broker:
        readings = await asked(broker, "readings", AskMonitor(), list[ReadingRow])
        forecasts = await asked(broker, "forecasts", AskMonitor(), list[ForecastRow])

    assert [(row.device, row.state, row.age_s) for row in readings] == [
        ("cpu-0", "measured", 0.0),
        ("gpu-0", "measured", 0.0),
    ]
    assert forecasts == []


@twice
async def test_a_leaders_reading_is_taken(real: bool, nats_url: str, watched: Watched) -> None:
    sample = pool_sample(watched.world.clock.wall(), 7, queued=5, granted=2)
    async with answering(nats_url, watched, real=real) as broker:
        await broker.publish(msgspec.json.encode(sample), subjects.pool_sample("main"))
        await wait_until(lambda: watched.window.samples["main"] == sample)

        snapshot = await asked(broker, "snapshot", AskMonitor(), Snapshot)

    assert [(pool.queued, pool.granted) for pool in snapshot.pools] == [(5, 2)]


async def test_what_is_too_old_is_unknown(nats_url: str, watched: Watched) -> None:
    watched.world.clock.passes(60)
    async with answering(nats_url, watched, real=False) as broker:
        snapshot = await asked(broker, "snapshot", AskMonitor(), Snapshot)

    assert [(each.reading.state, each.reading.memory) for each in snapshot.devices] == [
        ("unknown", None)
    ] * 2
    assert [each.canary for each in snapshot.devices] == ["unknown"] * 2
    assert [(pool.queued, pool.error_rate) for pool in snapshot.pools] == [(None, None)]


async def test_a_malformed_question_is_refused_in_words(nats_url: str, watched: Watched) -> None:
    async with answering(nats_url, watched, real=True) as broker:
        subject = subjects.query("resource_monitor", "alerts")

        reply = await broker.request(b'{"all": "yes"}', subject, timeout=PATIENCE_S)

    assert isinstance(decode_answer(reply.body), Rejected)
