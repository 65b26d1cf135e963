"""Views of the log: once, in order, and thrown away at will."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.projections import (
    Fact,
    LogSource,
    ProjectionState,
    view_path,
)
from pointsman.testing.waiting import wait_until
from tests.eventstore.projecting import chain_now, following
from tests.support.task_events import (
    record_lives,
)
from tests.support.views import Chain, SmallBatches, chain_of, chain_value

PROGRAM = Path(__file__).parents[1] / "support" / "project_until_killed.py"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteEventStore]:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        yield store


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


class PositionRefused(Chain):
    """The file fails between an effect and its position, from position 8 on."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0

    def create(self, db: sqlite3.Connection) -> None:
        super().create(db)
        db.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON projection WHEN NEW.position > 7"
            " BEGIN SELECT RAISE(ABORT, 'cut off'); END"
        )

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        self.attempts += 1
        super().apply(db, facts)


async def test_an_effect_is_taken_back_when_its_position_cannot_be_written(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    last = await record_lives(store, 10)
    projection = PositionRefused()

    async with following(projection, tmp_path, SmallBatches(store)) as runner:
        await wait_until(lambda: projection.attempts == 3)
        assert runner.position == 7
    assert chain_value(runner.path) == chain_of(range(1, 8))

    with closing(sqlite3.connect(runner.path)) as db:
        db.execute("DROP TRIGGER refuse")
    assert await chain_now(Chain(), tmp_path, store) == chain_of(range(1, last + 1))


async def test_an_effect_of_a_failed_batch_is_never_committed(
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


async def test_what_is_of_no_concern_is_passed_over_without_being_written(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    deaf = Chain(topics=frozenset({"alert.raised"}))

    async with following(deaf, tmp_path, LogSource(store)) as runner:
        last = await record_lives(store, 3)

        assert await runner.caught_up(last, timeout_s=20)

    with closing(sqlite3.connect(runner.path)) as view:
        assert view.execute("SELECT position FROM projection").fetchone() == (0,)


async def test_a_reader_waits_for_its_own_write(store: SqliteEventStore, tmp_path: Path) -> None:
    async with following(Chain(), tmp_path, LogSource(store)) as runner:
        waiting: Sequence[asyncio.Task[bool]] = [
            asyncio.create_task(runner.caught_up(position, timeout_s=60)) for position in (1, 3)
        ]
        await record_lives(store, 1)

        assert [await each for each in waiting] == [True, True]
        assert not await runner.caught_up(4, timeout_s=0.01)
