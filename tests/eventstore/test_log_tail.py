"""The newest events in memory read like the log itself."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.log_tail import LogTail
from tests.support.task_events import a_plain_life, record, record_lives


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteEventStore]:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        yield store


async def test_every_position_reads_as_in_the_store(store: SqliteEventStore) -> None:
    await record_lives(store, 5)
    tail = await LogTail.following(store, keep=6)
    last = await record_lives(store, 10)

    for after in range(last + 2):
        assert list(await tail.read(after, limit=4)) == list(await store.read(after, limit=4))
    topics = ["task.granted.v1"]
    for after in (0, last - 4):
        assert list(await tail.read(after, topics=topics)) == list(
            await store.read(after, topics=topics)
        )
    assert await tail.head() == last


async def test_a_tail_that_has_seen_nothing_reads_the_store(store: SqliteEventStore) -> None:
    last = await record_lives(store, 2)

    tail = await LogTail.following(store)

    assert await tail.head() == last
    assert await tail.wait_beyond(last - 1, timeout_s=10)
    assert list(await tail.read(0)) == list(await store.read(0))


async def test_a_reader_that_waits_is_woken_by_a_commit(store: SqliteEventStore) -> None:
    tail = await LogTail.following(store)
    waiting = asyncio.create_task(tail.wait_beyond(0, timeout_s=60))

    task = uuid4()
    await record(store, a_plain_life(task))

    assert await waiting
    assert [event.stream for event in await tail.read(0)] == [task] * 3
    assert list(await tail.read_stream(task, after=2)) == list(await tail.read(2))


async def test_waiting_for_what_does_not_come_ends_after_the_time(store: SqliteEventStore) -> None:
    tail = await LogTail.following(store)
    last = await record_lives(store, 1)

    assert not await tail.wait_beyond(last, timeout_s=0.01)
    assert await tail.wait_beyond(last - 1, timeout_s=60)


async def test_a_tail_that_was_closed_keeps_nothing_more(store: SqliteEventStore) -> None:
    tail = await LogTail.following(store)
    last = await record_lives(store, 1)

    await tail.close()
    await record_lives(store, 1)

    assert await tail.head() == last
