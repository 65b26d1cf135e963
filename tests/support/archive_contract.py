"""What holds of every log whose ended tasks are moved into an archive."""

from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.eventstore.archive import Archive
from pointsman.eventstore.archive_rows import MOVED, DeleteArchived
from pointsman.eventstore.archived_log import ArchivableStore, ArchivedLog
from pointsman.eventstore.archiving import ArchiveMovedError, Archiving, Moved, position_at
from pointsman.eventstore.ports import Appended, LogUnavailableError
from tests.support.ended_tasks import DAY, HEAD, OPEN, ended_tasks, fill, fold, whole
from tests.support.log_events import some_events
from tests.support.pool_state import state


class CutShort:
    """A store that fails at a deletion, before it or when its answer is lost."""

    def __init__(self, store: ArchivableStore, *, at: int, lost: bool) -> None:
        self._store, self._left, self._lost = store, at, lost

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def delete_archived(self, job: DeleteArchived) -> int:
        self._left -= 1
        if self._left < 0 and not self._lost:
            raise LogUnavailableError("cut")
        deleted = await self._store.delete_archived(job)
        if self._left < 0:
            raise LogUnavailableError("cut")
        return deleted


class ArchiveContract:
    """Subclasses give the fixture `store`, an empty one."""

    @pytest.fixture
    def archive(self, tmp_path: Path) -> Archive:
        return Archive(tmp_path / "archive")

    @pytest.fixture
    def log(self, store: ArchivableStore, archive: Archive) -> ArchivedLog:
        return ArchivedLog(store, archive)

    async def move_all(self, log: ArchivedLog, *, streams: int = 7) -> list[Moved]:
        moving, moves, after = Archiving(log, streams=streams), list[Moved](), 0
        while not moves or moves[-1].more:
            moves.append(await moving.move(HEAD, after=after))
            after = moves[-1].upto
        return moves

    @pytest.mark.parametrize("page", [1, 7, 1000])
    async def test_the_log_with_its_archive_is_read_as_it_was(
        self, log: ArchivedLog, page: int
    ) -> None:
        await fill(log)
        before = await whole(log)

        moves = await self.move_all(log)
        after = await whole(log, page=page)

        assert len(moves) > 2
        assert after == before
        assert state(fold(after), DAY.now) == state(fold(before), DAY.now)

    async def test_only_open_tasks_and_what_is_no_task_stay(self, log: ArchivedLog) -> None:
        await fill(log)
        tasks = set(DAY.accepted)

        await self.move_all(log)
        left = await log.store.read(0)

        staying = {event.stream for event in left}
        assert staying & tasks == OPEN | ({left[-1].stream} & tasks)
        assert staying - tasks

    async def test_the_newest_event_stays(self, log: ArchivedLog) -> None:
        stream = uuid4()
        await fill(log)
        await log.append(some_events(stream, [1]))

        await Archiving(log).move(HEAD + 1)

        assert await log.head() == HEAD + 1
        assert (await log.store.read(HEAD))[0].stream == stream
        assert await log.append(some_events(uuid4(), [1])) == Appended((HEAD + 2,))

    async def test_an_archived_task_has_its_history(self, log: ArchivedLog) -> None:
        await fill(log)
        task = ended_tasks()[0]
        before = await log.read_stream(task)

        await self.move_all(log)

        assert await log.store.read_stream(task) == []
        assert await log.read_stream(task) == before
        assert await log.read_stream(task, after=1) == before[1:]
        assert await log.read_stream(uuid4()) == []

    async def test_topics_are_found_in_both(self, log: ArchivedLog) -> None:
        await fill(log)
        before = await log.read(0, topics=["task.accepted.v1", "device.attached.v1"])

        await self.move_all(log)

        assert await log.read(0, topics=["task.accepted.v1", "device.attached.v1"]) == before

    async def test_what_was_moved_is_not_moved_again(self, log: ArchivedLog) -> None:
        await fill(log)
        first = await self.move_all(log, streams=1000)

        again = await self.move_all(log, streams=1000)

        assert first[0].events > 0
        assert [move.events for move in again] == [0]
        assert len(log.archive.segments()) == 1

    async def test_tasks_that_ended_later_stay(self, log: ArchivedLog) -> None:
        await fill(log)
        half = HEAD // 2

        await Archiving(log).move(half)
        moved = [event for segment in log.archive.segments() for event in segment.linked()]

        assert moved
        assert all(linked.event.position <= half for linked in moved)

    @pytest.mark.parametrize("at", [0, 1])
    @pytest.mark.parametrize("lost", [False, True])
    async def test_a_move_that_is_cut_short_loses_nothing_and_is_made_up_for(
        self, store: ArchivableStore, tmp_path: Path, *, at: int, lost: bool
    ) -> None:
        log = ArchivedLog(store, Archive(tmp_path / "archive"))
        await fill(log)
        before = await whole(log)
        cut = CutShort(store, at=at, lost=lost)
        dying = ArchivedLog(cut, Archive(tmp_path / "archive"))  # pyright: ignore[reportArgumentType]  # it has what it passes on

        with pytest.raises(LogUnavailableError):
            await self.move_all(dying)
        meanwhile = await whole(log)
        await self.move_all(log)

        assert meanwhile == before
        assert await whole(log) == before
        assert {event.stream for event in await log.store.read(0)} & set(ended_tasks()) <= {
            before[-1].stream
        }

    async def test_of_two_that_archive_one_log_the_later_stops(
        self, store: ArchivableStore, tmp_path: Path
    ) -> None:
        log = ArchivedLog(store, Archive(tmp_path / "archive"))
        await fill(log)
        before = await whole(log)
        stale = DeleteArchived("000001-of-another.segment", "", [1, 2, 3])
        await Archiving(log, streams=5).move(HEAD)

        answer = await store.delete_archived(stale)

        assert answer == MOVED
        assert await whole(log) == before
        assert ArchiveMovedError.code == "archive_moved"

    async def test_another_process_sees_what_was_archived_since(
        self, store: ArchivableStore, tmp_path: Path
    ) -> None:
        log = ArchivedLog(store, Archive(tmp_path / "archive"))
        reader = ArchivedLog(store, Archive(tmp_path / "archive"))
        await fill(log)
        before = await whole(reader)

        await self.move_all(log)

        assert await whole(reader) == before

    async def test_a_time_is_found_among_positions(self, log: ArchivedLog) -> None:
        await fill(log)
        events = await whole(log)
        await self.move_all(log)

        found = [await position_at(log, event.time_us) for event in events[:5]]

        assert found == [1, 2, 3, 4, 5]
        assert await position_at(log, events[0].time_us - 1) == 0
        assert await position_at(log, events[-1].time_us + 10**9) == HEAD
