"""A scheduler and an executor of plain nats-py: a log with its relay, questions and canaries."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.canaries import CanaryAnswered, RunCanary
from pointsman.contracts.message import Message
from pointsman.contracts.queries import DeviceRow, ListEvents, LogRow
from pointsman.contracts.telemetry import DeviceReading, PoolSample
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.publications import PackedFeed
from pointsman.eventstore.relay import Relay
from pointsman.resource_monitor.watching.rounds import every
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.streams import provision
from pointsman.testing.waiting import PATIENCE_S

_SAMPLE_EVERY_S = 0.1

T = TypeVar("T")


class PoolStandIn:
    """Its log is `store`; `rows` are its devices; `corrupt` spoils what canaries give back."""

    def __init__(self, nc: Client, store: SqliteEventStore) -> None:
        self.nc = nc
        self.store = store
        self.rows: list[DeviceRow] = []
        self.readings: list[DeviceReading] = []
        self.canaries: list[RunCanary] = []
        self.corrupt = False

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str, data: Path) -> AsyncGenerator[Self]:
        nc = await nats_client(url, max_reconnect_attempts=-1, reconnect_time_wait=0)
        async with SqliteEventStore(data.with_suffix(".db")) as store:
            pool = cls(nc, store)
            await provision(nc)
            for verb, answer in (
                ("devices", pool.on_devices),
                ("events", pool.on_events),
                ("log", pool.on_log),
            ):
                await nc.subscribe(subjects.query("scheduler", verb), cb=answer)
            await nc.subscribe("pm.cmd.executor.*.canary", cb=pool.on_canary)
            await nc.subscribe(subjects.device_reading("*"), cb=pool.on_reading)
            await nc.flush()
            relay = Relay(store, nc, PackedFeed(), provision=pool.provide)
            tasks = [
                asyncio.create_task(relay.run()),
                asyncio.create_task(every(_SAMPLE_EVERY_S, pool.publish_sample)),
            ]
            try:
                yield pool
            finally:
                for task in tasks:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                await nc.close()

    async def ask(self, verb: str, question: Message, type_: type[T]) -> T:
        subject = subjects.query("resource_monitor", verb)
        reply = await self.nc.request(subject, msgspec.json.encode(question), timeout=PATIENCE_S)
        return msgspec.json.decode(reply.data, type=type_)

    async def provide(self) -> None:
        await provision(self.nc)

    async def publish_sample(self) -> None:
        head = await self.store.head()
        sample = PoolSample(pool="main", at=time.time(), applied_to=head, queued=0, granted=0)
        await self.nc.publish(subjects.pool_sample("main"), msgspec.json.encode(sample))

    async def on_devices(self, message: Msg) -> None:
        await message.respond(msgspec.json.encode(self.rows))

    async def on_events(self, message: Msg) -> None:
        asked = msgspec.json.decode(message.data, type=ListEvents)
        events = await self.store.read(asked.after, limit=asked.limit)
        await message.respond(msgspec.json.encode(events))

    async def on_log(self, message: Msg) -> None:
        identity = await self.store.identity()
        row = LogRow(identity.incarnation, await self.store.head())
        await message.respond(msgspec.json.encode(row))

    async def on_canary(self, message: Msg) -> None:
        (canary,) = msgspec.json.decode(message.data, type=list[RunCanary])
        self.canaries.append(canary)
        output = canary.payload[::-1] if self.corrupt else canary.payload
        await message.respond(msgspec.json.encode([CanaryAnswered(output=output, run_s=0.01)]))

    async def on_reading(self, message: Msg) -> None:
        self.readings.append(msgspec.json.decode(message.data, type=DeviceReading))
