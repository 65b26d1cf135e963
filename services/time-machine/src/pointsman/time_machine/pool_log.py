"""The log as a pool folds it: rows in, events that concern the pool out."""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
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
from pointsman.eventstore.archive_segment import ArchiveDamagedError
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.log_rows import LogRow, row_pages
from pointsman.eventstore.reading import DamagedEventError, NewerEventError, concerns, read_event
from pointsman.scheduler.domain.pool import Pool

_ELECTED: Final = "pool.leader_elected.v1"

Entry = tuple[int, UUID, int, Decision]
"""Position, stream, version in it and event: what a pool folds."""

Decode = Callable[[bytes], Decision]

# What the stored bytes of an event may raise; `read_event` then says whose fault it is.
_UNREADABLE: Final = (
    msgspec.MsgspecError,
    UnicodeDecodeError,
    RecursionError,
    NewerVersionError,
    UnknownTopicError,
    UnreadableEventError,
)

_STREAMS: Final = 65_536
"""Streams whose ids are kept: most events are of a stream that was met a moment before, and making
an id of its text takes longer than finding it."""


class PoolLog:
    """Reads the events that change a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._codec = EventCodec()
        self._stream = lru_cache(_STREAMS)(UUID)
        self._decoders = _Decoders(self._codec, pool)

    def fold(self, rows: Iterable[LogRow]) -> None:
        """Fold rows into the pool; raises `NewerEventError` and `DamagedEventError`."""
        pool, evolve = self._pool, self._pool.evolve
        decoders, stream_of = self._decoders, self._stream
        for row in rows:
            position, stream, version, topic, _, state = row
            decode = decoders[topic]
            if decode is None:
                pool.applied_to = position
                continue
            try:
                event = decode(state)
            except _UNREADABLE:
                event = read_event(self._codec, recorded(row))
            evolve(position, stream_of(stream), version, event)

    def entry(self, row: LogRow) -> Entry | None:
        """None if the event is of no concern; raises what `fold` raises."""
        position, stream, version, topic, _, state = row
        decode = self._decoders[topic]
        if decode is None:
            return None
        try:
            event = decode(state)
        except _UNREADABLE:
            event = read_event(self._codec, recorded(row))
        return position, self._stream(stream), version, event


class _Decoders(dict[str, Decode | None]):
    """By topic as it is met; None: it does not concern the pool."""

    def __init__(self, codec: EventCodec, pool: Pool) -> None:
        super().__init__()
        self._codec = codec
        self._concerns = concerns(codec.names(pool.types))

    def __missing__(self, topic: str) -> Decode | None:
        decode = None
        if self._concerns(topic):
            decode = self._codec.decoder(topic) or partial(self._codec.decode, topic)
        self[topic] = decode
        return decode


def pools_of(log: Path) -> list[str]:
    """Names of the pools that were ever led in a log, in the order of their first election.

    Of a log that breaks off those up to there: who reads it to its end learns where. Raises what
    `row_pages` raises if there are none.
    """
    codec, led = EventCodec(), dict[str, None]()
    try:
        for page in row_pages(log, topics=sorted(codec.versions([_ELECTED]))):
            led |= dict.fromkeys(pool for row in page if (pool := _led(codec, row)) is not None)
    except (LogUnreadableError, ArchiveDamagedError):
        if not led:
            raise
    return list(led)


def _led(codec: EventCodec, row: LogRow) -> str | None:
    try:
        event = read_event(codec, recorded(row))
    except (DamagedEventError, NewerEventError):
        return None
    return event.pool if isinstance(event, LeaderElected) else None


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
