"""The log as a pool folds it: rows in, events that concern the pool out."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.events import Decision, LeaderElected
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import (
    EventCodec,
    NewerVersionError,
    UnknownTopicError,
    UnreadableEventError,
)
from pointsman.eventstore.log_rows import LogRow, row_pages
from pointsman.eventstore.reading import concerns, read_event
from pointsman.scheduler.domain.pool import Pool

_ELECTED: Final = "pool.leader_elected.v1"

Entry = tuple[int, UUID, int, Decision]
"""Position, stream, version in it and event: what a pool folds."""

_STREAMS: Final = 65_536
"""Streams whose ids are kept: most events are of a stream that was met a moment before, and making
an id of its text takes longer than finding it."""


class PoolLog:
    """Reads the events that change a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._codec = EventCodec()
        self._concerns = concerns(self._codec.names(pool.types))
        self._stream = lru_cache(_STREAMS)(UUID)

    def fold(self, rows: Iterable[LogRow]) -> None:
        """Fold rows into the pool; raises `NewerEventError` and `DamagedEventError`."""
        pool, evolve = self._pool, self._pool.evolve
        concern, stream_of, decode = self._concerns, self._stream, self._codec.decode
        for row in rows:
            position, stream, version, topic, _, state = row
            if not concern(topic):
                pool.applied_to = position
                continue
            try:
                event = decode(topic, state)
            except (NewerVersionError, UnknownTopicError, UnreadableEventError):
                event = read_event(self._codec, recorded(row))
            evolve(position, stream_of(stream), version, event)

    def entry(self, row: LogRow) -> Entry | None:
        """None if the event is of no concern; raises what `fold` raises."""
        position, stream, version, topic, _, state = row
        if not self._concerns(topic):
            return None
        try:
            event = self._codec.decode(topic, state)
        except (NewerVersionError, UnknownTopicError, UnreadableEventError):
            event = read_event(self._codec, recorded(row))
        return position, self._stream(stream), version, event


def pools_of(log: Path) -> list[str]:
    """Names of the pools that were ever led in a log, in the order of their first election.

    Raises what `row_pages` raises.
    """
    codec = EventCodec()
    topics = sorted(codec.versions([_ELECTED]))
    elections = (row for page in row_pages(log, topics=topics) for row in page)
    led = (read_event(codec, recorded(row)) for row in elections)
    return list(dict.fromkeys(event.pool for event in led if isinstance(event, LeaderElected)))


def recorded(row: LogRow) -> Recorded:
    """A row as readers of the log know it, without what a row leaves out."""
    position, stream, version, topic, time_us, state = row
    return Recorded(
        position=position,
        id=UUID(int=0),
        stream=UUID(stream),
        version=version,
        type=topic,
        time_us=time_us,
        data=msgspec.Raw(state),
    )
