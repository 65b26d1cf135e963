"""A disk that fills: new work is refused in words, running work goes on, and it resumes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pointsman.contracts.commands import Accepted, Duplicate, Unavailable
from pointsman.policy.disk_room import DiskReading, Room
from pointsman.scheduler.adapters.data_disk import DataDisk
from pointsman.scheduler.leading.disk_watch import DiskWatch
from pointsman.scheduler.leading.past_tasks import PastTasks
from pointsman.scheduler.leading.submissions import Submissions
from pointsman.testing.waiting import wait_until
from tests.support.leading import World, scheduler
from tests.support.scheduling import submission


@dataclass(slots=True)
class DialDisk:
    """Implements `ports.Disk` with the share that a test sets; in percent."""

    percent: int = 10

    async def read(self) -> DiskReading:
        if self.percent < 0:
            raise OSError(5, "Input/output error")
        return DiskReading(used=self.percent * 2**20, free=(100 - self.percent) * 2**20)


@dataclass(slots=True)
class Changes:
    """What was told of the disk."""

    rooms: list[Room] = field(default_factory=list[Room])
    details: list[str] = field(default_factory=list[str])

    def take(self, room: Room, detail: str) -> None:
        self.rooms.append(room)
        self.details.append(detail)


@asynccontextmanager
async def watching(disk: DialDisk, changes: Changes) -> AsyncGenerator[DiskWatch]:
    watch = DiskWatch(disk, changes.take, look_s=0.001)
    running = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_each_change_is_told_once_in_words() -> None:
    disk, changes = DialDisk(), Changes()
    async with watching(disk, changes):
        for percent, room in ((85, Room.SCARCE), (96, Room.FULL), (10, Room.AMPLE)):
            disk.percent = percent
            await wait_until(lambda room=room: changes.rooms[-1:] == [room])

    assert changes.rooms == [Room.SCARCE, Room.FULL, Room.AMPLE]
    assert "85% full" in changes.details[0]
    assert "new work is refused, running work finishes" in changes.details[1]


async def test_a_disk_that_cannot_be_read_changes_nothing() -> None:
    disk, changes = DialDisk(percent=96), Changes()
    async with watching(disk, changes) as watch:
        await wait_until(lambda: changes.rooms == [Room.FULL])
        disk.percent = -1
        disk.percent = 10
        await wait_until(lambda: changes.rooms == [Room.FULL, Room.AMPLE])

        assert watch.refusal() is None


async def test_new_work_is_refused_while_the_disk_is_full_and_taken_again_by_itself() -> None:
    disk, changes, here = DialDisk(), Changes(), await scheduler(World())
    async with watching(disk, changes) as watch:
        submissions = Submissions(
            here.pool,
            here.log,
            here.blobs,
            here.clock,
            past=PastTasks(here.store),
            no_room=watch.refusal,
        )
        before = await submissions.submit(submission(command_id="before"), door="command")
        disk.percent = 96
        await wait_until(lambda: watch.refusal() is not None)
        refused = await submissions.submit(submission(command_id="new"), door="command")
        repeated = await submissions.submit(submission(command_id="before"), door="command")
        disk.percent = 50
        await wait_until(lambda: watch.refusal() is None)
        after = await submissions.submit(submission(command_id="new"), door="command")

    assert isinstance(before, Accepted)
    assert isinstance(refused, Unavailable)
    assert refused.code == "disk_full"
    assert "free space" in refused.next
    assert isinstance(repeated, Duplicate)
    assert isinstance(after, Accepted)
    assert len(here.pool.tasks) == 2


async def test_a_real_disk_is_read(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "some.db").write_bytes(bytes(1_000_000))

    reading = await DataDisk(tmp_path, budget_mib=2).read()

    assert reading.used >= 1_000_000
    assert reading.free > 0
    assert reading.share > 0.4
