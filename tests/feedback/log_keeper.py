"""A stand-in for the process that keeps the log: its feed, and its answers about it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.events import Decision, ModelRegistered
from pointsman.contracts.queries import ListEvents, LogRow
from pointsman.contracts.streams import stream_id
from pointsman.eventstore.publications import PackedFeed
from pointsman.eventstore.relay import Relay
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.streams import provision
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.task_events import record, stream_of


@dataclass
class LogKeeper:
    """A log in memory that is published on the feed."""

    nc: Client
    store: MemoryEventStore

    async def events(self, message: Msg) -> None:
        asked = msgspec.json.decode(message.data, type=ListEvents)
        found = await self.store.read(asked.after, limit=asked.limit)
        await message.respond(msgspec.json.encode(found))

    async def log(self, message: Msg) -> None:
        identity = await self.store.identity()
        row = LogRow(identity.incarnation, await self.store.head())
        await message.respond(msgspec.json.encode(row))

    async def task(self, *decisions: Decision) -> UUID:
        task = uuid4()
        await record(self.store, stream_of(task, decisions))
        return task

    async def register(self, model: Decision) -> None:
        assert isinstance(model, ModelRegistered)
        await record(self.store, stream_of(stream_id("model", model.variant), [model], tenant=""))


@asynccontextmanager
async def log_keeper(url: str) -> AsyncGenerator[LogKeeper]:
    nc = await nats_client(url)
    keeper = LogKeeper(nc, MemoryEventStore())
    await provision(nc)
    await nc.subscribe(subjects.query("scheduler", "events"), cb=keeper.events)
    await nc.subscribe(subjects.query("scheduler", "log"), cb=keeper.log)
    await nc.flush()
    relay = Relay(keeper.store, nc, PackedFeed(), provision=lambda: provision(nc))
    relaying = asyncio.create_task(relay.run())
    try:
        yield keeper
    finally:
        relaying.cancel()
        await asyncio.wait([relaying])
        await nc.close()
