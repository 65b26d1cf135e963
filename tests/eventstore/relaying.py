"""A log, a NATS server and relays between them, for tests of relays."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from nats.aio.client import Client
from nats.js.api import RawStreamMsg, StreamConfig

from pointsman.contracts import subjects
from pointsman.contracts.recorded import Recorded, decode_pack
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.publications import PackedFeed, Publication
from pointsman.eventstore.relay import Relay, no_consumers
from pointsman.eventstore.stream_tip import SlowestConsumer
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.servers import LocalNats
from pointsman.runtime.streams import INCARNATION, provision
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until

TAKEOVER_S = 0.5


@dataclass
class Bench:
    """What every test of a relay has."""

    store: SqliteEventStore
    server: LocalNats
    nc: Client
    log: Path

    def relay(
        self,
        publication: Publication | None = None,
        *,
        nc: Client | None = None,
        slowest: SlowestConsumer = no_consumers,
    ) -> Relay:
        connection = nc or self.nc
        return Relay(
            self.store,
            connection,
            publication or PackedFeed(),
            provision=lambda: provision(connection),
            takeover_s=TAKEOVER_S,
            slowest=slowest,
        )

    async def messages(self, stream: str = subjects.FEED_STREAM) -> list[RawStreamMsg]:
        """Everything that a stream holds."""
        manager = self.nc.jsm()
        state = (await manager.stream_info(stream)).state
        return [
            await manager.get_msg(stream, sequence)
            for sequence in range(max(1, state.first_seq), state.last_seq + 1)
        ]

    async def feed(self) -> list[Recorded]:
        """The events of all packs, one after the other."""
        return [
            event
            for message in await self.messages()
            for event in decode_pack(message.data or b"[]")
        ]

    async def add_plain_stream(self) -> None:
        """A feed that may be purged; the planned one refuses that."""
        config = StreamConfig(
            name=subjects.FEED_STREAM, subjects=[subjects.FEED], metadata={INCARNATION: "one"}
        )
        await self.nc.jsm().add_stream(config)


def headers(message: RawStreamMsg) -> dict[str, str]:
    return cast("dict[str, str]", message.headers or {})


@asynccontextmanager
async def a_bench(tmp: Path) -> AsyncGenerator[Bench]:
    async with nats_server(tmp) as server, SqliteEventStore(tmp / "log.db") as store:
        connection = await connect(server)
        try:
            yield Bench(store, server, connection, tmp / "log.db")
        finally:
            await connection.close()


async def connect(server: LocalNats) -> Client:
    async def ignore(error: Exception) -> None:
        """Without a callback the library writes lost connections to standard error."""

    return await nats_client(
        server.url, max_reconnect_attempts=-1, reconnect_time_wait=0, error_cb=ignore
    )


@asynccontextmanager
async def running(*relays: Relay) -> AsyncGenerator[Sequence["asyncio.Task[None]"]]:
    """Relays at work; one that fails of itself fails the test."""
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def published(relay: Relay, position: int, *, timeout_s: float = 20) -> None:
    await wait_until(
        lambda: relay.position >= position,
        timeout_s=timeout_s,
        message=f"position {position}",
    )
