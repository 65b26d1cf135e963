"""Parts of running attempts over a real bus."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.token_streams import StreamPart
from pointsman.executor.adapters.nats_streams import NatsStreams
from pointsman.executor.ports import Streams
from pointsman.runtime.nats_client import nats_client
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import MemoryStreams, task_id


def part(text: str = "Once", *, task: int = 1, attempt: int = 1) -> StreamPart:
    return StreamPart(task=task_id(task), attempt=attempt, sequence=1, offset=0, text=text)


class Watcher:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.parts: list[StreamPart] = []

    async def on_part(self, message: Msg) -> None:
        self.parts.append(msgspec.json.decode(message.data, type=StreamPart))


class StreamsContract:
    """Subclasses give `streams` that nobody listens to."""

    async def test_a_part_that_nobody_hears_is_noticed(self, streams: Streams) -> None:
        await streams.publish(part())

        await wait_until(lambda: not streams.heard(task_id(1), 1))

    async def test_another_attempt_is_judged_by_its_own_parts(self, streams: Streams) -> None:
        await streams.publish(part())
        await wait_until(lambda: not streams.heard(task_id(1), 1))

        assert streams.heard(task_id(1), 2)
        assert streams.heard(task_id(2), 1)

    async def test_a_forgotten_attempt_leaves_nothing(self, streams: Streams) -> None:
        await streams.publish(part())
        await wait_until(lambda: not streams.heard(task_id(1), 1))

        streams.forget(task_id(1), 1)

        assert streams.heard(task_id(1), 1)


class TestMemoryStreams(StreamsContract):
    @pytest.fixture
    def streams(self) -> Streams:
        return MemoryStreams(listening=False)


class TestNatsStreams(StreamsContract):
    @pytest.fixture
    async def streams(self, nats_url: str) -> AsyncGenerator[Streams]:
        async with started(nats_url) as (streams, _):
            yield streams


@asynccontextmanager
async def started(url: str) -> AsyncGenerator[tuple[NatsStreams, Client]]:
    nc = await nats_client(url)
    streams = NatsStreams(nc)
    await streams.start()
    try:
        yield streams, nc
    finally:
        await nc.close()


async def test_a_watcher_hears_the_parts_of_its_task_in_order(nats_url: str) -> None:
    async with started(nats_url) as (streams, _):
        other = await nats_client(nats_url)
        watcher = Watcher()
        await other.subscribe(subjects.stream(task_id(1)), cb=watcher.on_part)
        await other.flush()

        for number in range(100):
            await streams.publish(part(str(number)))
            await streams.publish(part("of another task", task=2))
        await wait_until(lambda: len(watcher.parts) == 100)

        assert [each.text for each in watcher.parts] == [str(number) for number in range(100)]
        assert streams.heard(task_id(1), 1)
        await wait_until(lambda: not streams.heard(task_id(2), 1))
        await other.close()


async def test_without_the_bus_a_part_is_dropped_and_nothing_waits(nats_url: str) -> None:
    async with started(nats_url) as (streams, nc):
        await nc.close()

        await streams.publish(part())

        assert streams.heard(task_id(1), 1)
