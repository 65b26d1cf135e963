"""Ended tasks that were moved out of the log: everybody who reads still sees them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pointsman.eventstore.archive import ARCHIVE, Archive
from pointsman.eventstore.archive_segment import ArchiveDamagedError, Segment
from pointsman.eventstore.archived_log import ArchivedLog
from pointsman.eventstore.archiving import Archiving
from pointsman.eventstore.backup import back_up
from pointsman.eventstore.log_file import linked_pages
from pointsman.eventstore.ports import Append
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.eventstore.restoring import restore
from pointsman.eventstore.sqlite import SqliteEventStore
from pointsman.eventstore.verification import ChainCheck
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.archive_contract import ArchiveContract
from tests.support.ended_tasks import HEAD, fill, whole


class TestArchiveOfALogInMemory(ArchiveContract):
    @pytest.fixture
    def store(self) -> MemoryEventStore:
        return MemoryEventStore()


class TestArchiveOfASqliteLog(ArchiveContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
        async with SqliteEventStore(tmp_path / "log.db") as store:
            yield store


class TestArchiveOfAPostgresLog(ArchiveContract):
    @pytest.fixture
    async def store(self, database: str) -> AsyncIterator[PostgresEventStore]:
        async with await PostgresEventStore.open(database) as store:
            yield store


async def archived(data: Path) -> None:
    """A data directory with a log, most of which has been archived."""
    await asyncio.to_thread(data.mkdir)
    async with SqliteEventStore(data / "log.db") as store:
        log = ArchivedLog(store, Archive(data / ARCHIVE))
        await fill(log)
        moved = await Archiving(log).move(HEAD)
        assert moved.events > HEAD / 3


def checked(log: Path) -> ChainCheck:
    check = ChainCheck()
    for page in linked_pages(log):
        check.take(page)
    return check


async def test_the_chain_holds_over_log_and_archive(tmp_path: Path) -> None:
    await archived(tmp_path / "data")

    check = checked(tmp_path / "data" / "log.db")

    assert check.broken is None
    assert (check.events, check.unlinked, check.position) == (HEAD, 0, HEAD)


async def test_a_changed_segment_is_refused(tmp_path: Path) -> None:
    await archived(tmp_path / "data")
    (path,) = (tmp_path / "data" / ARCHIVE).glob("*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(ArchiveDamagedError, match="its digest does not fit"):
        Segment(path).verify()


async def test_a_missing_segment_is_told(tmp_path: Path) -> None:
    await archived(tmp_path / "data")
    for path in (tmp_path / "data" / ARCHIVE).glob("*"):
        path.unlink()

    with pytest.raises(ArchiveDamagedError) as told:
        checked(tmp_path / "data" / "log.db")

    assert "Put the file back from a backup" in str(told.value.next_step)


async def test_a_backup_holds_the_archive_and_a_restore_goes_behind_it(tmp_path: Path) -> None:
    data, into = tmp_path / "data", tmp_path / "backup"
    await archived(data)
    async with SqliteEventStore(data / "log.db") as store:
        before = await whole(ArchivedLog(store, Archive(data / ARCHIVE)))
    back_up(data, into)
    (tmp_path / "new").mkdir()

    restored = restore(into, tmp_path / "new", position=HEAD // 2)

    assert restored.position == HEAD // 2
    async with SqliteEventStore(tmp_path / "new" / "log.db") as store:
        log = ArchivedLog(store, Archive(tmp_path / "new" / ARCHIVE))
        assert await whole(log) == before[: HEAD // 2]
        assert await store.archived() == ""
    assert checked(tmp_path / "new" / "log.db").broken is None


async def test_an_empty_archive_costs_no_file(tmp_path: Path) -> None:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        log = ArchivedLog(store, Archive(tmp_path / ARCHIVE))
        await log.append(Append([]))

        moved = await Archiving(log).move(1000)

    assert moved.events == 0
    assert not (tmp_path / ARCHIVE).exists()
