"""What the bus still holds of a life of the log that a restore has undone."""

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from pointsman.contracts import subjects
from pointsman.contracts.recorded import Recorded, decode_pack
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.backup import back_up
from pointsman.eventstore.event_sources import FeedSource, LogRestoredError
from pointsman.eventstore.log_identity import LogIdentity
from pointsman.eventstore.ports import CommittedEvents
from pointsman.eventstore.projections import Fact, LogSource
from pointsman.eventstore.publications import PackedFeed, PublicEvents
from pointsman.eventstore.relay import Relay, RelayState
from pointsman.eventstore.restoring import restore
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.puller import Puller
from pointsman.runtime.streams import provision, provision_consumer
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until
from tests.eventstore.projecting import following
from tests.eventstore.relaying import headers, published, running
from tests.support.task_events import record_lives
from tests.support.views import Chain

KEPT = 5
"""Positions that survive the restore; a task has three events."""


@pytest.fixture
async def nc(tmp_path: Path) -> AsyncGenerator[Client]:
    async with nats_server(tmp_path) as server:
        connection = await nats_client(server.url)
        await provision(connection)
        yield connection
        await connection.close()


def a_relay(store: SqliteEventStore, nc: Client, *, public: bool = False) -> Relay:
    publication = PublicEvents("main") if public else PackedFeed()
    return Relay(store, nc, publication, provision=lambda: provision(nc))


@asynccontextmanager
async def a_restored_log(nc: Client, tmp_path: Path) -> AsyncGenerator[SqliteEventStore]:
    """A log cut behind `KEPT`, on a bus that has heard twelve events of the life before."""
    data, new = tmp_path / "data", tmp_path / "new"
    for each in (data, new):
        each.mkdir()
    async with SqliteEventStore(data / "log.db") as store:
        last = await record_lives(store, 4)
        for public in (False, True):
            relay = a_relay(store, nc, public=public)
            async with running(relay):
                await published(relay, last)
        back_up(data, tmp_path / "backup")
    restore(tmp_path / "backup", new, position=KEPT)
    async with SqliteEventStore(new / "log.db") as store:
        yield store


async def heard_of(nc: Client, stream: str, log: str) -> list[tuple[str, bytes]]:
    """Position headers and bodies of what a stream holds of one life of the log."""
    manager = nc.jsm()
    state = (await manager.stream_info(stream)).state
    messages = [
        await manager.get_msg(stream, sequence)
        for sequence in range(state.first_seq, state.last_seq + 1)
    ]
    return [
        (headers(message)["Pm-Position"], message.data or b"")
        for message in messages
        if headers(message)["Pm-Log"] == log
    ]


async def test_the_feed_goes_on_behind_what_both_lives_share(nc: Client, tmp_path: Path) -> None:
    async with a_restored_log(nc, tmp_path) as store:
        last = await record_lives(store, 2)
        relay = a_relay(store, nc)

        async with running(relay):
            await published(relay, last)

        log = (await store.identity()).incarnation
        packs = await heard_of(nc, subjects.FEED_STREAM, log)
        events = [event for _, body in packs for event in decode_pack(body)]
        assert events == list(await store.read(KEPT))


async def test_other_systems_are_not_told_again_what_they_know(nc: Client, tmp_path: Path) -> None:
    async with a_restored_log(nc, tmp_path) as store:
        last = await record_lives(store, 1)
        relay = a_relay(store, nc, public=True)

        async with running(relay):
            await published(relay, last)

        log = (await store.identity()).incarnation
        told = await heard_of(nc, subjects.EVENT_STREAM, log)
        assert [span for span, _ in told] == [f"{KEPT + 1}-{KEPT + 1}", f"{KEPT + 2}-{last}"]


async def test_leftovers_reach_no_view(nc: Client, tmp_path: Path) -> None:
    async with a_restored_log(nc, tmp_path) as store:
        consumer = ConsumerConfig(durable_name="feedback", ack_policy=AckPolicy.EXPLICIT)
        await provision_consumer(nc, subjects.FEED_STREAM, consumer)
        puller = Puller(nc, subjects.FEED_STREAM, "feedback")
        source = FeedSource(puller, store, provision=lambda: provision(nc))
        last = await record_lives(store, 2)
        relay = a_relay(store, nc)
        async with running(relay):
            await published(relay, last)

            read: list[Recorded] = []
            while not read or read[-1].position < last:
                read += await source.next(read[-1].position if read else 0)

        await puller.stop()
        assert read == list(await store.read(0))


async def test_who_has_followed_the_life_before_must_start_again(
    nc: Client, tmp_path: Path
) -> None:
    async with a_restored_log(nc, tmp_path) as store:
        consumer = ConsumerConfig(durable_name="feedback", ack_policy=AckPolicy.EXPLICIT)
        await provision_consumer(nc, subjects.FEED_STREAM, consumer)
        puller = Puller(nc, subjects.FEED_STREAM, "feedback")
        before = SqliteEventStore(tmp_path / "another.db")
        source = FeedSource(puller, _Turning(before, store), provision=lambda: provision(nc))
        await source.incarnation()

        with pytest.raises(LogRestoredError, match="was restored"):
            await source.next(0)

        await puller.stop()
        await before.close()


class _Turning(CommittedEvents):
    """Another log at the first question for its identity, the restored one from then on."""

    def __init__(self, first: SqliteEventStore, then: SqliteEventStore) -> None:
        self._logs = [first, then]

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        return await self._logs[-1].read(after, limit=limit, topics=topics)

    async def head(self) -> int:
        return await self._logs[-1].head()

    async def identity(self) -> LogIdentity:
        return await self._logs.pop(0).identity()


class Streams(Chain):
    """Remembers which streams it has heard of."""

    def create(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE streams (id TEXT PRIMARY KEY)")

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        rows = [(fact.recorded.stream.hex,) for fact in facts]
        db.executemany("INSERT OR IGNORE INTO streams VALUES (?)", rows)


async def streams_seen(log: SqliteEventStore, data: Path) -> set[UUID]:
    async with following(Streams(), data, LogSource(log)) as runner:
        assert await runner.caught_up(await log.head(), timeout_s=10)
    with closing(sqlite3.connect(runner.path)) as db:
        return {UUID(hex=id) for (id,) in db.execute("SELECT id FROM streams")}


async def test_a_view_of_the_life_before_is_built_anew(tmp_path: Path) -> None:
    # The second log is longer, so that nothing but its incarnation tells them apart.
    for name, lives in (("first", 1), ("second", 3)):
        async with SqliteEventStore(tmp_path / f"{name}.db") as log:
            await record_lives(log, lives)

            seen = await streams_seen(log, tmp_path)

            assert seen == {event.stream for event in await log.read(0)}


async def test_a_log_that_does_not_descend_from_the_streams_is_not_mixed_in(
    nc: Client, tmp_path: Path
) -> None:
    async with a_restored_log(nc, tmp_path), SqliteEventStore(tmp_path / "other.db") as other:
        await record_lives(other, 20)
        relay = a_relay(other, nc)

        async with running(relay):
            await wait_until(lambda: "another log" in relay.detail)

        assert relay.state is RelayState.WAITING
