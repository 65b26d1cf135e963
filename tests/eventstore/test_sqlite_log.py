"""What the log in a SQLite file does beyond the contract of event stores."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.eventstore import (
    Append,
    Appended,
    LogInUseError,
    LogSchemaError,
    LogUnavailableError,
    LogUnreadableError,
    SqliteEventStore,
    SqliteLogReader,
    VersionConflict,
    schema,
)
from pointsman.eventstore.ports import Committed, DuplicateCommand, Fenced, Leadership
from pointsman.runtime.durable_sqlite import UnsafeSettingsError, connect_writer, require_durable
from tests.support.electing import elected
from tests.support.log_events import NOON_US, ManualClock, a_command, an_event, some_events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def test_everything_is_there_after_a_restart(path: Path) -> None:
    stream = uuid4()
    async with SqliteEventStore(path) as store:
        first = await elected(store, "pool", "a")
        await store.append(Append([an_event(stream, 1)], a_command("m")))
        before = await store.read(0)

    async with SqliteEventStore(path) as store:
        old = Append([an_event(stream, 2)], leadership=first)
        assert list(await store.read(0)) == list(before)
        assert await store.append(some_events(stream, [1])) == VersionConflict(stream, actual=1)
        assert isinstance(await store.append(Append([], a_command("m"))), DuplicateCommand)
        assert await elected(store, "pool", "b") == Leadership("pool", first.epoch + 1)
        assert await store.append(old) == Fenced(first.epoch + 1)
        assert await store.append(some_events(stream, [2])) == Appended((2,))


async def test_times_go_on_growing_after_a_restart_with_the_clock_set_back(path: Path) -> None:
    async with SqliteEventStore(path, clock=ManualClock()) as store:
        await store.append(some_events(uuid4(), [1, 2]))

    async with SqliteEventStore(path, clock=ManualClock(NOON_US - 5_000_000)) as store:
        await store.append(some_events(uuid4(), [1]))
        times = [event.time_us - NOON_US for event in await store.read(0)]

    assert times == [0, 1, 2]


async def test_positions_are_never_handed_out_twice(path: Path) -> None:
    async with SqliteEventStore(path) as store:
        await store.append(some_events(uuid4(), [1, 2, 3]))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM stored_events WHERE notification_id > 1")

    async with SqliteEventStore(path) as store:
        assert await store.append(some_events(uuid4(), [1])) == Appended((4,))


async def test_a_second_appending_store_is_told_who_holds_the_log(path: Path) -> None:
    async with SqliteEventStore(path):
        with pytest.raises(LogInUseError) as caught:
            SqliteEventStore(path)

    assert caught.value.pid == os.getpid()
    assert str(os.getpid()) in str(caught.value)


async def test_a_second_appending_process_is_refused(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from pointsman.eventstore import LogInUseError, SqliteEventStore\n"
        "try: SqliteEventStore(Path(sys.argv[1]))\n"
        "except LogInUseError as error: print(error.code, error.pid)\n"
    )

    async with SqliteEventStore(path):
        run = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", program, str(path)],
            check=True,
            capture_output=True,
            text=True,
        )

    assert run.stdout.split() == ["log_in_use", str(os.getpid())]


async def test_a_log_that_could_not_be_opened_is_free_again(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")

    for _ in range(2):
        with pytest.raises(LogSchemaError):
            SqliteEventStore(path)


async def test_readers_see_each_commit_and_wait_for_the_next(path: Path) -> None:
    async with SqliteEventStore(path) as store:
        await store.append(some_events(uuid4(), [1]))
        reader = SqliteLogReader(path)
        assert await reader.head() == 1
        assert list(await reader.read(0)) == list(await store.read(0))
        waiting = asyncio.create_task(reader.wait_beyond(1, timeout_s=10))

        await store.append(some_events(uuid4(), [1]))

        assert await waiting
        assert not await reader.wait_beyond(2, timeout_s=0)
        await reader.close()


async def test_a_reader_opens_a_log_that_nobody_writes(path: Path) -> None:
    async with SqliteEventStore(path) as store:
        await store.append(some_events(uuid4(), [1]))

    reader = SqliteLogReader(path)

    assert await reader.head() == 1
    await reader.close()


def test_a_reader_of_a_missing_log_says_so(path: Path) -> None:
    with pytest.raises(LogUnreadableError, match=r"log\.db"):
        SqliteLogReader(path)


def test_a_reader_of_another_file_says_so(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)

    with pytest.raises(LogUnreadableError, match="not a database"):
        SqliteLogReader(path)


def test_the_schema_of_a_newer_release_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")

    with pytest.raises(LogSchemaError, match="Upgrade") as caught:
        SqliteEventStore(path)

    assert (caught.value.found, caught.value.known) == (3, 2)


def test_the_tables_of_another_program_are_refused(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE stored_events (topic TEXT)")

    with pytest.raises(LogSchemaError, match="another program"):
        SqliteEventStore(path)


def test_a_file_of_no_bytes_is_told_as_empty(path: Path) -> None:
    path.touch()

    with pytest.raises(LogSchemaError, match="it is empty") as caught:
        SqliteLogReader(path)

    assert "restore it from a backup" in caught.value.next_step


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_connection_that_loses_commits_in_a_power_cut_is_refused(
    path: Path, synchronous: str
) -> None:
    with closing(connect_writer(path)) as connection:
        connection.execute(f"PRAGMA synchronous = {synchronous}")

        with pytest.raises(UnsafeSettingsError, match="synchronous"):
            require_durable(connection)


def test_a_database_without_write_ahead_log_is_refused() -> None:
    with pytest.raises(UnsafeSettingsError, match="journal_mode"):
        connect_writer(Path(":memory:"))


async def test_what_waits_is_committed_before_the_store_closes(path: Path) -> None:
    store = SqliteEventStore(path)
    appends = [asyncio.create_task(store.append(some_events(uuid4(), [1]))) for _ in range(100)]
    await asyncio.wait(appends, timeout=0)

    await store.close()

    assert {type(await append) for append in appends} == {Appended}
    with pytest.raises(LogUnavailableError, match="closed"):
        await store.append(some_events(uuid4(), [1]))


async def test_what_another_program_appended_is_taken_into_account(path: Path) -> None:
    stream = uuid4()
    async with SqliteEventStore(path, clock=ManualClock()) as store:
        await store.append(some_events(stream, [1]))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
                " VALUES (?, 2, 'a.b.v1', x'7b7d')",
                (stream.hex,),
            )

        assert await store.append(some_events(stream, [2])) == VersionConflict(stream, actual=2)
        assert await store.append(some_events(stream, [3])) == Appended((3,))
        times = [event.time_us for event in await store.read(0)]
        assert times == sorted(set(times))


async def test_a_relay_sees_what_another_program_appended(path: Path) -> None:
    async with SqliteEventStore(path) as store:
        waiting = asyncio.create_task(store.wait_beyond(0, timeout_s=10))
        await asyncio.wait((waiting,), timeout=0)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
                " VALUES ('00000000000000000000000000000001', 1, 'a.b.v1', x'7b7d')"
            )

        assert await waiting
        assert await store.head() == 1


async def test_a_log_held_by_another_program_is_unavailable_in_time_and_then_goes_on(
    path: Path,
) -> None:
    stream = uuid4()
    append = some_events(stream, [1])
    seen: list[Committed] = []
    async with SqliteEventStore(path) as store:
        store.on_commit(seen.extend)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogUnavailableError, match="in time"):
                await store.append(append, timeout_s=0.05)
            connection.execute("ROLLBACK")

        assert await store.append(append) == Appended((1,))
        assert [each.recorded.position for each in seen] == [1]


async def test_many_writers_get_gapless_positions_and_versions(path: Path) -> None:
    async def write(store: SqliteEventStore) -> None:
        stream = uuid4()
        for version in range(1, 26):
            assert isinstance(await store.append(some_events(stream, [version])), Appended)

    async with SqliteEventStore(path) as store:
        await asyncio.gather(*(write(store) for _ in range(40)))
        log = await store.read(0, limit=2000)

    assert [event.position for event in log] == list(range(1, 1001))
    times = [event.time_us for event in log]
    assert times == sorted(set(times))
