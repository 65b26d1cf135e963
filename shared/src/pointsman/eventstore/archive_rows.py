"""SQL of the archive: the rows of whole streams with their links, and their deletion.

`archived` in `log_meta` names the newest segment. It is set in the transaction that deletes the
first rows of that segment, so that every event is in the log or in a segment that the log names.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.stored_rows import LINKED_COLUMNS, linked
from pointsman.eventstore.verification import LinkedEvent

ARCHIVED: Final = "archived"
"""Key of `log_meta`."""
MOVED: Final = -1
"""Answer to a deletion for a segment that does not follow the one that the log names."""

_GROUP: Final = 64
_OF_STREAMS: Final = f"SELECT {LINKED_COLUMNS} FROM stored_events WHERE originator_id IN "  # noqa: S608 - constant names only
_MARK: Final = "SELECT value FROM log_meta WHERE key = ?"
_SET_MARK: Final = "INSERT OR REPLACE INTO log_meta VALUES (?, ?)"
_PUT_BACK: Final = (
    f"INSERT OR IGNORE INTO stored_events ({LINKED_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constant names only
)
_DELETE: Final = "DELETE FROM stored_events WHERE notification_id = ?"

POSTGRES_MARK: Final = "SELECT value FROM log_meta WHERE key = $1"
POSTGRES_OF_STREAMS: Final = (
    f"SELECT {LINKED_COLUMNS} FROM stored_events WHERE originator_id = ANY ($1::uuid[])"  # noqa: S608 - constant names only
    " ORDER BY notification_id"
)
POSTGRES_DELETE: Final = """
WITH mark AS (
    INSERT INTO log_meta (key, value)
    SELECT $1, $2 WHERE $3 = '' OR EXISTS (SELECT 1 FROM log_meta WHERE key = $1)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE log_meta.value IN ($2, $3)
    RETURNING 1
), gone AS (
    DELETE FROM stored_events
    WHERE notification_id = ANY ($4::bigint[]) AND EXISTS (SELECT 1 FROM mark)
    RETURNING 1
)
SELECT CASE WHEN EXISTS (SELECT 1 FROM mark) THEN (SELECT count(*) FROM gone) ELSE -1 END
"""


@dataclass(frozen=True, slots=True)
class DeleteArchived:
    """Delete events that stand in a segment, and name that segment as the newest.

    Answered with how many there still were, `MOVED` when another has archived meanwhile.
    """

    segment: str
    previous: str
    positions: Sequence[int]


def select_mark(connection: sqlite3.Connection) -> str:
    """The newest segment's name, empty before the first."""
    row = connection.execute(_MARK, (ARCHIVED,)).fetchone()
    return "" if row is None else str(row[0])


def select_linked(connection: sqlite3.Connection, streams: Sequence[UUID]) -> list[LinkedEvent]:
    """All events of some streams, in log order."""
    return sorted(_linked_rows(connection, streams), key=_position)


def delete_archived(connection: sqlite3.Connection, job: DeleteArchived) -> int:
    """Inside the writer's transaction."""
    if select_mark(connection) not in {job.previous, job.segment}:
        return MOVED
    connection.execute(_SET_MARK, (ARCHIVED, job.segment))
    return connection.executemany(_DELETE, [(each,) for each in job.positions]).rowcount


def put_back(connection: sqlite3.Connection, events: Iterable[LinkedEvent]) -> None:
    """Give a log everything back that was archived; inside the caller's transaction."""
    rows = ((*_values(each.event), each.link) for each in events)
    connection.executemany(_PUT_BACK, rows)
    connection.execute("DELETE FROM log_meta WHERE key = ?", (ARCHIVED,))


def _values(event: Recorded) -> tuple[object, ...]:
    return (
        event.position,
        event.id.bytes,
        event.stream.hex,
        event.version,
        event.type,
        event.time_us,
        event.tenant,
        event.epoch,
        bytes(event.data),
    )


def postgres_linked(row: Sequence[Any]) -> LinkedEvent:
    """A row of `POSTGRES_OF_STREAMS`."""
    return linked((row[0], row[1].bytes, row[2].hex, *(row[n] for n in range(3, 10))))


def _linked_rows(connection: sqlite3.Connection, streams: Sequence[UUID]) -> Iterator[LinkedEvent]:
    for start in range(0, len(streams), _GROUP):
        group = [stream.hex for stream in streams[start : start + _GROUP]]
        statement = f"{_OF_STREAMS}({', '.join('?' * len(group))})"
        for row in connection.execute(statement, group):
            yield linked(row)


def _position(each: LinkedEvent) -> int:
    return each.event.position
