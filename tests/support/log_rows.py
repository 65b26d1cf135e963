"""Rows of a log as it would hold a history that was made in memory."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pointsman.contracts.events import Decision
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.log_rows import LogRow
from tests.support.scheduling import Entry

_MICROSECONDS: Final = 1_000_000

_codec = EventCodec()


def rows_of(entries: Iterable[Entry]) -> list[LogRow]:
    """Every event was recorded at the moment that it was decided at."""
    return [
        (
            entry.position,
            entry.stream.hex,
            entry.version,
            _codec.topic(entry.event),
            int(entry.event.at * _MICROSECONDS),
            _codec.encode(entry.event),
        )
        for entry in entries
    ]


def changed(entries: Sequence[Entry], position: int, **fields: object) -> list[Entry]:
    """The same history with other values in one event."""
    return [
        entry
        if entry.position != position
        else Entry(entry.position, entry.stream, entry.version, _replaced(entry.event, fields))
        for entry in entries
    ]


def _replaced(event: Decision, fields: dict[str, object]) -> Decision:
    return msgspec.structs.replace(event, **fields)
