"""The log over the bus: asked until it is answered."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import Rejected
from pointsman.contracts.queries import ListEvents, LogRow
from pointsman.eventstore.remote_log import RemoteLog
from pointsman.runtime.nats_client import nats_client
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until
from tests.support.log_events import an_event
from tests.support.task_events import record, record_lives


@pytest.fixture
async def nc(tmp_path: Path) -> AsyncGenerator[Client]:
    async with nats_server(tmp_path) as server:
        connection = await nats_client(server.url)
        yield connection
        await connection.close()


class Keeper:
    """Answers as the scheduler does, a few events at a time; refuses at first if told to."""

    def __init__(self, store: MemoryEventStore, *, refusals: int = 0) -> None:
        self.asked: list[ListEvents] = []
        self.refused = 0
        self._store = store
        self._refusals = refusals

    async def events(self, message: Msg) -> None:
        if self.refused < self._refusals:
            self.refused += 1
            rejected = Rejected(code="unavailable", message="the log is folded")
            await message.respond(msgspec.json.encode(rejected))
            return
        question = msgspec.json.decode(message.data, type=ListEvents)
        self.asked.append(question)
        few = await self._store.read(question.after, limit=4, topics=question.topics)
        await message.respond(msgspec.json.encode(list(few)))

    async def log(self, message: Msg) -> None:
        identity = await self._store.identity()
        row = LogRow(identity.incarnation, await self._store.head(), identity.ancestors)
        await message.respond(msgspec.json.encode(row))


@asynccontextmanager
async def kept(nc: Client, keeper: Keeper) -> AsyncGenerator[None]:
    answers = (("events", keeper.events), ("log", keeper.log))
    subscriptions = [
        await nc.subscribe(subjects.query("scheduler", verb), cb=answer) for verb, answer in answers
    ]
    await nc.flush()
    yield
    for subscription in subscriptions:
        await subscription.unsubscribe()


async def test_the_log_reads_as_it_does_where_it_lies(nc: Client) -> None:
    store = MemoryEventStore()
    last = await record_lives(store, 3)
    log = RemoteLog(nc, "degradation")

    async with kept(nc, Keeper(store)):
        read = list(await log.read(0))
        while page := await log.read(read[-1].position):
            read += page
        head = await log.head()

    assert read == list(await store.read(0))
    assert head == last


async def test_topics_and_limit_travel_with_the_question(nc: Client) -> None:
    store = MemoryEventStore()
    await record_lives(store, 1)
    await record(store, [an_event(uuid4(), 1)])
    keeper = Keeper(store)

    async with kept(nc, keeper):
        read = await RemoteLog(nc, "feedback").read(1, limit=9, topics=["task.cancelled.v1"])

    assert [event.position for event in read] == [4]
    assert keeper.asked == [ListEvents(after=1, limit=9, topics=("task.cancelled.v1",))]


async def test_a_keeper_that_comes_later_is_waited_for(nc: Client) -> None:
    store = MemoryEventStore()
    last = await record_lives(store, 1)
    asking = asyncio.create_task(RemoteLog(nc, "context").head())
    # No responders: this was answered before the keeper came.
    await asyncio.wait([asking], timeout=0.1)

    async with kept(nc, Keeper(store)):
        assert await asking == last


async def test_a_refusal_is_no_answer(nc: Client) -> None:
    store = MemoryEventStore()
    await record_lives(store, 1)
    keeper = Keeper(store, refusals=1)

    async with kept(nc, keeper):
        asking = asyncio.create_task(RemoteLog(nc, "context").read(0))
        await wait_until(lambda: keeper.refused == 1)

        assert len(await asking) == 3
