"""The archive as a leader's command: old enough, once, and seen by every question."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pointsman.contracts.commands import Archived, ArchiveTasks, Rejected, Unavailable
from pointsman.eventstore.archive import Archive
from pointsman.eventstore.archived_log import ArchivedLog
from pointsman.eventstore.archiving import KEEP_S
from pointsman.scheduler.leading.archive import TaskArchive
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.ended_tasks import HEAD, ended_tasks, fill, whole

NOON = 1_767_268_800.0


@dataclass(slots=True)
class World:
    """A log that was filled at noon; its archive; the clock of whoever asks."""

    log: ArchivedLog
    archive: TaskArchive
    clock: FakeClock = field(default_factory=FakeClock)


@pytest.fixture
async def world(tmp_path: Path) -> World:
    store = MemoryEventStore(clock=lambda: int(NOON * 1e6))
    log, clock = ArchivedLog(store, Archive(tmp_path / "archive")), FakeClock(now=NOON)
    await fill(log)
    return World(log, TaskArchive(log, clock), clock)


def asked(*, position: int | None = None, time: float | None = None) -> ArchiveTasks:
    return ArchiveTasks(command_id="c", by="test", before_position=position, before_time=time)


async def test_ended_tasks_are_archived_before_a_position(world: World) -> None:
    world.clock.passes(2 * KEEP_S)

    answer = await world.archive.archive(asked(position=HEAD))

    assert isinstance(answer, Archived)
    assert answer.events > 0
    assert not answer.more
    assert [segment.name for segment in world.log.archive.segments()] == [answer.segment]


async def test_ended_tasks_are_archived_before_a_time(world: World) -> None:
    world.clock.passes(2 * KEEP_S)

    before_noon = await world.archive.archive(asked(time=NOON))
    after_noon = await world.archive.archive(asked(time=NOON + 1))

    assert before_noon == Archived(upto=0, more=False)
    assert isinstance(after_noon, Archived)
    assert after_noon.tasks >= len(ended_tasks()) - 1


async def test_what_is_younger_than_an_hour_stays(world: World) -> None:
    world.clock.passes(KEEP_S - 1)

    answer = await world.archive.archive(asked(position=HEAD))

    assert answer == Archived(upto=0, more=False)
    assert len(await world.log.store.read(0)) == HEAD


async def test_asking_again_moves_nothing_twice(world: World) -> None:
    world.clock.passes(2 * KEEP_S)
    before = await whole(world.log)

    first = await world.archive.archive(asked(position=HEAD))
    again = await world.archive.archive(asked(position=HEAD))

    assert isinstance(first, Archived)
    assert isinstance(again, Archived)
    assert again.events == 0
    assert await whole(world.log) == before


@pytest.mark.parametrize("command", [asked(), asked(position=1, time=NOON)])
async def test_exactly_one_moment_is_wanted(world: World, command: ArchiveTasks) -> None:
    answer = await world.archive.archive(command)

    assert isinstance(answer, Rejected)
    assert answer.code == "moment_missing"


async def test_a_disk_that_cannot_be_written_is_told_and_nothing_is_lost(
    world: World, tmp_path: Path
) -> None:
    world.clock.passes(2 * KEEP_S)
    (tmp_path / "archive").write_bytes(b"in the way")

    answer = await world.archive.archive(asked(position=HEAD))

    assert isinstance(answer, Unavailable)
    assert len(await world.log.store.read(0)) == HEAD
