"""Disks that fail to sync and disks that are full: refused, and nothing acknowledged is lost."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pointsman.eventstore import Appended, LogUnavailableError, SqliteEventStore
from pointsman.testing.failing_fsync import FailingFsync
from pointsman.testing.lossy_disk import LossyDisk
from pointsman.testing.sized_disk import SizedDisk
from tests.support import append_until_killed
from tests.support.log_events import some_events

ROOT = Path(append_until_killed.__file__).parents[2]


class Writer:
    """Appends one event at a time to one stream, and knows which were acknowledged."""

    def __init__(self, store: SqliteEventStore) -> None:
        self.stream: UUID = uuid4()
        self.acknowledged: list[int] = []
        self._store = store
        self._version = 0

    async def append(self) -> None:
        answer = await self._store.append(some_events(self.stream, [self._version + 1]))
        assert isinstance(answer, Appended)
        self._version += 1
        self.acknowledged += answer.positions

    async def append_many(self, count: int) -> None:
        for _ in range(count):
            await self.append()


async def positions(folder: Path) -> set[int]:
    async with SqliteEventStore(folder / "log.db") as store:
        return {event.position for event in await store.read(0, limit=1_000_000)}


async def test_a_sync_that_fails_is_answered_as_unavailable_and_loses_nothing(
    disk: LossyDisk,
) -> None:
    async with SqliteEventStore(disk.path / "log.db") as store:
        writer = Writer(store)
        await writer.append_many(20)

        await disk.fail_syncs("log.db-wal")
        for _ in range(3):
            with pytest.raises(LogUnavailableError, match="disk I/O error"):
                await writer.append()
        await disk.heal()
        await writer.append_many(20)
        await disk.power_cut()
    await disk.power_on()

    assert set(writer.acknowledged) <= await positions(disk.path)


async def test_a_full_disk_is_answered_as_unavailable_and_works_again_with_space(
    small_disk: SizedDisk,
) -> None:
    async with SqliteEventStore(small_disk.path / "log.db") as store:
        writer = Writer(store)
        await writer.append_many(20)

        ballast = small_disk.fill()
        with pytest.raises(LogUnavailableError, match="full"):
            await writer.append_many(10_000)
        readable = await store.read(0, limit=1_000_000)
        ballast.unlink()
        await writer.append_many(20)

    assert {event.position for event in readable} >= set(writer.acknowledged[:20])
    assert set(writer.acknowledged) <= await positions(small_disk.path)


async def test_a_process_whose_syncs_fail_acknowledges_nothing_more(
    tmp_path: Path, failing_fsync: FailingFsync
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", append_until_killed.__name__, str(tmp_path / "log.db"),
        stdout=PIPE, stderr=PIPE, cwd=ROOT, env=failing_fsync.environment,
    )  # fmt: skip
    assert child.stdout is not None
    lines = [await child.stdout.readline() for _ in range(20)]

    failing_fsync.fail("log.db-wal")
    rest, errors = await child.communicate()

    acknowledged = {
        int(position)
        for line in (*lines, *rest.splitlines())
        for position in line.split()[:2]
        if len(line.split()) == 3
    }
    assert child.returncode != 0
    assert b"LogUnavailableError" in errors
    assert acknowledged <= await positions(tmp_path)
