"""The log when its process is killed and when its disk is full."""

import asyncio
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pointsman.eventstore import Appended, LogUnavailableError, SqliteEventStore, schema
from pointsman.eventstore.log_transaction import Answer, Job, LogTransaction
from pointsman.eventstore.ports import AppendAnswer, Committed
from pointsman.runtime import durable_sqlite
from pointsman.runtime.group_commit import GroupCommit
from tests.support import append_until_killed
from tests.support.log_events import ManualClock, some_events

ROOT = Path(append_until_killed.__file__).parents[2]


def append_until(path: Path, acknowledged: int) -> list[list[str]]:
    """Kills the program after so many acknowledgements; returns every line that it wrote."""
    program = [sys.executable, "-m", append_until_killed.__name__, str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledged)]
        process.kill()
        lines += process.stdout.readlines()
    return [fields for line in lines if len(fields := line.split()) == 3]


@pytest.mark.parametrize("acknowledged", [1, 40, 400])
async def test_a_killed_writer_loses_no_acknowledged_append_and_leaves_none_in_part(
    tmp_path: Path, acknowledged: int
) -> None:
    path = tmp_path / "log.db"

    # Twice, so that the second run starts from a log that was left behind.
    lines = append_until(path, acknowledged) + append_until(path, acknowledged)

    async with SqliteEventStore(path) as store:
        log = await store.read(0, limit=1_000_000)
        assert len(lines) >= 2 * acknowledged
        where = {event.position: event.stream for event in log}
        for first, second, stream in lines:
            assert where[int(first)] == where[int(second)] == UUID(stream)
        assert set(Counter(event.stream for event in log).values()) == {2}
        assert [event.position for event in log] == list(range(1, len(log) + 1))
        times = [event.time_us for event in log]
        assert times == sorted(set(times))


class SmallLog:
    """The log's writer over a file that may not grow beyond a number of pages."""

    def __init__(self, path: Path) -> None:
        self._connection = durable_sqlite.connect_writer(path)
        schema.create_tables(self._connection, path)
        self.announced: list[Committed] = []
        self._commits: GroupCommit[Job, Answer] = GroupCommit(
            self._connection,
            LogTransaction(self.announced.extend, ManualClock()),
            name="small-log",
            unavailable=LogUnavailableError,
        )
        self.close = self._commits.close

    def limit(self, pages: int) -> None:
        self._connection.execute(f"PRAGMA max_page_count = {pages}")

    async def append(self, stream: UUID, version: int) -> AppendAnswer | int:
        return await self._commits.submit(some_events(stream, [version]), timeout_s=5)

    async def append_for_ever(self, stream: UUID) -> None:
        for version in count(1):
            await self.append(stream, version)


@pytest.fixture
async def small_log(tmp_path: Path) -> AsyncIterator[SmallLog]:
    log = SmallLog(tmp_path / "log.db")
    yield log
    await log.close()


async def test_a_full_file_is_unavailable_and_works_again_when_it_may_grow(
    small_log: SmallLog,
) -> None:
    stream = uuid4()
    small_log.limit(30)

    with pytest.raises(LogUnavailableError, match="full"):
        await small_log.append_for_ever(stream)
    recorded = len(small_log.announced)
    small_log.limit(10_000)

    assert await small_log.append(stream, recorded + 1) == Appended((recorded + 1,))
    assert [each.recorded.version for each in small_log.announced] == list(range(1, recorded + 2))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs (root)")
    yield disk
    subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)


async def test_a_full_disk_is_unavailable_loses_nothing_and_works_again_with_space(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    acknowledged: set[int] = set()

    async def fill(store: SqliteEventStore) -> None:
        stream, version = uuid4(), 0
        while True:
            version += 1
            answer = await store.append(some_events(stream, [version]))
            assert isinstance(answer, Appended)
            acknowledged.update(answer.positions)

    async with SqliteEventStore(small_disk / "log.db") as store:
        for error in await asyncio.gather(*(fill(store) for _ in range(8)), return_exceptions=True):
            assert isinstance(error, LogUnavailableError)
        still_there = {event.position for event in await store.read(0, limit=100_000)}
        ballast.unlink()
        again = await store.append(some_events(uuid4(), [1]))
        log = await store.read(0, limit=100_000)

    assert acknowledged
    assert acknowledged <= still_there
    assert again == Appended((len(log),))
    assert [event.position for event in log] == list(range(1, len(log) + 1))
