"""Moving ended tasks out of the log into segments, so that nothing is lost wherever it is cut.

A segment is written, synced and read back before the log names it, and named before the first of
its events is deleted. What was cut short is made up for by the next move.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import TERMINAL, TRANSITIONS
from pointsman.contracts.topics import TOPICS, UPCASTERS, version_of
from pointsman.eventstore.archive import Archive
from pointsman.eventstore.archive_rows import MOVED, DeleteArchived
from pointsman.eventstore.archive_segment import Segment, write_segment
from pointsman.eventstore.archived_log import ArchivedLog
from pointsman.eventstore.verification import LinkedEvent

STREAMS: Final = 2_000
"""Tasks of one segment: about 6 000 events, which one move takes from the log within a second."""

KEEP_S: Final = 3600.0
"""Younger events stay in the log, where appends in doubt and followers of the log look for them."""

_DELETED_TOGETHER: Final = 500
_MICROSECONDS: Final = 1_000_000

_ENDS: Final = frozenset(event for (_, event), after in TRANSITIONS.items() if after in TERMINAL)
_END_NAMES: Final = frozenset(
    version_of(topic)[0] for topic, type_ in TOPICS.items() if type_ in _ENDS
)
END_TOPICS: Final = tuple(
    topic for topic in (*TOPICS, *UPCASTERS) if version_of(topic)[0] in _END_NAMES
)
"""Events behind which nothing can be recorded on their stream."""


class ArchiveMovedError(Exception):
    """Another process archives the same log: this one stops, which loses nothing."""

    code = "archive_moved"


class Moved(msgspec.Struct, frozen=True):
    """What one move did."""

    events: int = 0
    streams: int = 0
    segment: str = ""
    size: int = 0
    """Bytes of the segment."""
    upto: int = 0
    """Tasks that ended up to this position have been moved."""
    more: bool = False


async def position_at(log: ArchivedLog, time_us: int) -> int:
    """The last position recorded at or before a time, 0 if there is none."""
    low, high = 0, await log.head()
    while low < high:
        middle = (low + high + 1) // 2
        # Positions may be missing in the log itself, never in the log with its archive.
        (event,) = await log.read(middle - 1, limit=1)
        low, high = (middle, high) if event.time_us <= time_us else (low, middle - 1)
    return low


async def last_movable(
    log: ArchivedLog, *, before_position: int | None, before_time: float | None, now: float
) -> int:
    """The last position before a position or a time, both in the past for `KEEP_S` at least."""
    settled = await position_at(log, int((now - KEEP_S) * _MICROSECONDS))
    if before_position is not None:
        return max(0, min(settled, before_position - 1))
    before_us = int((before_time or 0.0) * _MICROSECONDS)
    return min(settled, await position_at(log, before_us - 1))


class Archiving:
    """Moves streams out of one log; one at a time."""

    def __init__(self, log: ArchivedLog, *, streams: int = STREAMS) -> None:
        self._log = log
        self._streams = streams
        self._finished = ""

    async def move(self, upto: int, *, after: int = 0) -> Moved:
        """Move tasks that ended beyond `after` and up to `upto`, at most one segment's worth.

        The newest event of the log stays: positions and the chain go on from it. Raises
        `ArchiveMovedError`, `ArchiveDamagedError`, `LogUnavailableError` and `OSError`.
        """
        log, archive = self._log, self._log.archive
        await self._finish()
        upto = min(upto, await log.head() - 1)
        ends = await log.store.read(after, limit=self._streams, topics=END_TOPICS)
        ended = [event for event in ends if event.position <= upto]
        if not ended:
            return Moved(upto=max(after, upto))
        events = await log.store.read_linked([event.stream for event in ended])
        whole = _whole_streams(events, ended)
        more = len(ended) == self._streams
        upto = ended[-1].position if more else upto
        if not whole:
            return Moved(upto=upto, more=more)
        segment = await log.in_thread(lambda: _write(archive, whole))
        await self._delete(segment)
        return Moved(
            events=len(whole),
            streams=segment.header.streams,
            segment=segment.name,
            size=segment.path.stat().st_size,
            upto=upto,
            more=more,
        )

    async def _finish(self) -> None:
        """Delete what the move before had already put into a segment that the log names."""
        log, archive = self._log, self._log.archive
        newest = await log.store.archived()
        await log.in_thread(lambda: archive.follow(newest))
        await log.in_thread(archive.sweep)
        if newest != self._finished:
            await self._delete(archive.segments()[-1])

    async def _delete(self, segment: Segment) -> None:
        log, positions = self._log, await self._log.in_thread(segment.positions)
        for start in range(0, len(positions), _DELETED_TOGETHER):
            some = positions[start : start + _DELETED_TOGETHER]
            job = DeleteArchived(segment.name, segment.header.previous, some)
            if await log.store.delete_archived(job) == MOVED:
                raise ArchiveMovedError("another process archives this log")
        await log.in_thread(lambda: log.archive.follow(segment.name))
        self._finished = segment.name


def _write(archive: Archive, events: Sequence[LinkedEvent]) -> Segment:
    number = len(archive.segments()) + 1
    return write_segment(archive.directory, events, number=number, previous=archive.newest)


def _whole_streams(events: Sequence[LinkedEvent], ended: Sequence[Recorded]) -> list[LinkedEvent]:
    """Those of the streams that are there from their first event to their end."""
    end_of = {event.stream: event.version for event in ended}
    by_stream = sorted(events, key=lambda linked: linked.event.stream)
    whole: set[UUID] = set()
    for stream, group in groupby(by_stream, key=lambda linked: linked.event.stream):
        versions = [linked.event.version for linked in group]
        if versions == list(range(1, end_of[stream] + 1)):
            whole.add(stream)
    return [linked for linked in events if linked.event.stream in whole]
