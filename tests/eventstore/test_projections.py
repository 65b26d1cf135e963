"""Views of the log: once, in order, and thrown away at will."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.contracts.events import TaskCancelled
from pointsman.contracts.topics import TOPICS, EventCodec
from pointsman.eventstore import Append, NewEvent, SqliteEventStore
from pointsman.eventstore.event_sources import EventSource
from pointsman.eventstore.projections import (
    LogSource,
    Projection,
    ProjectionRunner,
    ProjectionState,
    view_path,
)
from pointsman.testing.waiting import wait_until
from tests.support.task_events import (
    cancelled,
    dead_letter,
    record,
    record_lives,
    stream_of,
)
from tests.support.views import Chain, SmallBatches, chain_of, chain_value

PROGRAM = Path(__file__).parents[1] / "support" / "project_until_killed.py"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteEventStore]:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        yield store


@asynccontextmanager
async def following(
    projection: Projection, data: Path, source: EventSource
) -> AsyncGenerator[ProjectionRunner]:
    runner = ProjectionRunner(projection, data)
    task = asyncio.create_task(runner.run(source))
    try:
        yield runner
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await runner.close()


async def chain_now(projection: Projection, data: Path, store: SqliteEventStore) -> tuple[int, int]:
    async with following(projection, data, LogSource(store)) as runner:
        assert await runner.caught_up(await store.head(), timeout_s=20)
    return chain_value(runner.path)


def of_a_newer_release(event: NewEvent) -> NewEvent:
    topic = event.topic.removesuffix(".v1") + ".v2"
    return NewEvent(event.id, event.stream, event.version, topic, event.state, event.event)


async def test_a_view_follows_the_log(store: SqliteEventStore, tmp_path: Path) -> None:
    await record_lives(store, 3)

    async with following(Chain(), tmp_path, LogSource(store)) as runner:
        last = await record_lives(store, 3)
        assert await runner.caught_up(last, timeout_s=20)
        assert runner.position == last

    assert chain_value(runner.path) == chain_of(range(1, last + 1))


async def test_a_view_goes_on_where_it_was(store: SqliteEventStore, tmp_path: Path) -> None:
    for _ in range(3):
        await record_lives(store, 4)
        shown = await chain_now(Chain(), tmp_path, store)

        assert shown == chain_of(range(1, await store.head() + 1))


async def test_an_effect_without_its_position_is_never_committed(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    last = await record_lives(store, 10)
    projection = Chain()
    projection.fails_at = 17

    async with following(projection, tmp_path, SmallBatches(store)) as runner:
        await wait_until(lambda: runner.state is ProjectionState.STOPPED)
        assert runner.position == 14
        assert runner.stopped is not None
        assert runner.stopped.code == "projection_failed"
    assert chain_value(runner.path) == chain_of(range(1, 15))

    assert await chain_now(Chain(), tmp_path, store) == chain_of(range(1, last + 1))


async def test_a_process_that_is_killed_again_and_again_counts_every_event_once(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    for _ in range(5):
        await asyncio.gather(*(record_lives(store, 20) for _ in range(10)))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            str(tmp_path),
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(PROGRAM.parents[2])},
        )
        assert process.stdout is not None
        assert await process.stdout.readline()
        process.kill()
        await process.communicate()

    shown = await chain_now(Chain(), tmp_path, store)

    assert shown == chain_of(range(1, await store.head() + 1))


async def test_a_dropped_view_is_rebuilt_equal(store: SqliteEventStore, tmp_path: Path) -> None:
    await record_lives(store, 20)
    before = await chain_now(Chain(), tmp_path, store)

    for file in view_path(tmp_path, "chain").parent.iterdir():
        file.unlink()

    assert await chain_now(Chain(), tmp_path, store) == before


async def test_a_view_is_rebuilt_while_it_follows_the_log(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    done = asyncio.Event()

    async def append() -> None:
        while not done.is_set():
            await record_lives(store, 1)

    appending = asyncio.create_task(append())
    async with following(Chain(), tmp_path, SmallBatches(store)) as runner:
        for _ in range(5):
            assert await runner.caught_up(runner.position + 20, timeout_s=20)
            await runner.rebuild()
        done.set()
        await appending
        last = await store.head()
        assert await runner.caught_up(last, timeout_s=20)

    assert chain_value(runner.path) == chain_of(range(1, last + 1))


@pytest.mark.parametrize("damage", [b"", b"no database", b"\0" * 8192])
async def test_a_damaged_file_is_rebuilt(
    damage: bytes, store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 5)
    before = await chain_now(Chain(), tmp_path, store)

    view_path(tmp_path, "chain").write_bytes(damage)

    assert await chain_now(Chain(), tmp_path, store) == before


async def test_a_file_of_another_version_of_the_view_is_rebuilt(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 5)
    await chain_now(Chain(topics=frozenset({"task.accepted"})), tmp_path, store)

    shown = await chain_now(Chain(version=2), tmp_path, store)

    assert shown == chain_of(range(1, 16))


async def test_a_view_that_is_ahead_of_a_restored_log_is_rebuilt(tmp_path: Path) -> None:
    async with SqliteEventStore(tmp_path / "log.db") as lost:
        await record_lives(lost, 5)
        await chain_now(Chain(), tmp_path, lost)

    async with SqliteEventStore(tmp_path / "restored.db") as restored:
        last = await record_lives(restored, 2)
        async with following(Chain(), tmp_path, LogSource(restored)) as runner:
            await wait_until(lambda: runner.position == last)

    assert chain_value(runner.path) == chain_of(range(1, last + 1))


async def test_a_newer_event_stops_the_views_that_read_it_and_no_other(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    (newer,) = stream_of(uuid4(), [cancelled()])
    await store.append(Append([of_a_newer_release(newer)]))
    last = await record(store, stream_of(uuid4(), [dead_letter()]))
    letters = Chain("letters", frozenset({"dead_letter.recorded"}))

    async with (
        following(Chain(), tmp_path, LogSource(store)) as tasks,
        following(letters, tmp_path, LogSource(store)) as others,
    ):
        await wait_until(lambda: tasks.state is ProjectionState.STOPPED)
        assert await others.caught_up(last, timeout_s=20)
        assert not await tasks.caught_up(last, timeout_s=60)

    assert tasks.stopped is not None
    assert (tasks.stopped.position, tasks.stopped.code) == (4, "newer_version")
    assert "upgrade this service" in tasks.stopped.reason
    assert chain_value(tasks.path) == chain_of([1, 2, 3])
    assert others.state is ProjectionState.FOLLOWING
    assert chain_value(others.path) == chain_of([5])


async def test_a_stopped_view_goes_on_after_the_upgrade(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    (newer,) = stream_of(uuid4(), [cancelled()])
    await store.append(Append([of_a_newer_release(newer)]))
    async with following(Chain(), tmp_path, LogSource(store)) as runner:
        await wait_until(lambda: runner.state is ProjectionState.STOPPED)
    upgraded = EventCodec({**TOPICS, "task.cancelled.v2": TaskCancelled})

    shown = await chain_now(Chain(codec=upgraded), tmp_path, store)

    assert shown == chain_of([1, 2, 3, 4])


@pytest.mark.parametrize(
    ("topic", "state", "code"),
    [
        ("task.teleported.v1", b"{}", "unknown_topic"),
        ("task.cancelled.v1", b"{}", "unreadable_event"),
    ],
)
async def test_an_event_that_cannot_be_read_stops_a_view(
    topic: str, state: bytes, code: str, store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    odd = NewEvent(uuid4(), uuid4(), 1, topic, state, cancelled())
    await store.append(Append([odd]))

    async with following(Chain(), tmp_path, LogSource(store)) as runner:
        await wait_until(lambda: runner.state is ProjectionState.STOPPED)

    assert runner.stopped is not None
    assert (runner.stopped.position, runner.stopped.code) == (4, code)


async def test_a_reader_waits_for_its_own_write(store: SqliteEventStore, tmp_path: Path) -> None:
    async with following(Chain(), tmp_path, LogSource(store)) as runner:
        waiting: Sequence[asyncio.Task[bool]] = [
            asyncio.create_task(runner.caught_up(position, timeout_s=60)) for position in (1, 3)
        ]
        await record_lives(store, 1)

        assert [await each for each in waiting] == [True, True]
        assert not await runner.caught_up(4, timeout_s=0.01)
