"""SQL of the appending thread. Rows go in groups of sixteen per statement.

Every statement gives the interpreter lock away and has to win it back from the event loop, so a
batch is executed in few statements. Groups larger than sixteen gain nothing.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

GROUP: Final = 16

EventRow = tuple[str, int, str, bytes, int, bytes, int, str, int]
"""Stream, version, topic, state, position, event id, recorded_at, tenant, epoch."""

CommandKey = tuple[str, str, str]
"""Consumer, tenant, message id."""

InboxRow = tuple[str, str, str, bytes, int, bytes, int]
"""Command key, request hash, position, reply, recorded_at."""


def _row(width: int) -> str:
    return f"({', '.join('?' * width)})"


_EVENT: Final = (
    "INSERT INTO stored_events (originator_id, originator_version, topic, state,"
    " notification_id, event_id, recorded_at, tenant, leader_epoch) VALUES "
)
_INBOX: Final = (
    "INSERT INTO inbox (consumer, tenant, message_id, request_hash, position, reply, recorded_at)"
    " VALUES "
)
_EVENT_ONE: Final = _EVENT + _row(9)
_EVENT_GROUP: Final = _EVENT + ", ".join([_row(9)] * GROUP)
_INBOX_ONE: Final = _INBOX + _row(7)
_INBOX_GROUP: Final = _INBOX + ", ".join([_row(7)] * GROUP)

_HEADS: Final = (
    "SELECT originator_id, max(originator_version) FROM stored_events"
    " WHERE originator_id IN ({wanted}) GROUP BY originator_id"
)
# CROSS JOIN keeps the order of the tables, so that the inbox is searched by its index; SQLite
# answers `(consumer, tenant, message_id) IN (VALUES ...)` by reading every row of a consumer.
_COMMANDS: Final = (
    "WITH wanted (consumer, tenant, message_id) AS (VALUES {wanted})"
    " SELECT consumer, tenant, message_id, request_hash, position, reply"
    " FROM wanted CROSS JOIN inbox USING (consumer, tenant, message_id)"
)
_EVENT_IDS: Final = (
    "SELECT event_id, originator_id, originator_version, notification_id"
    " FROM stored_events WHERE event_id IN ({wanted})"
)
_LAST: Final = (
    "SELECT notification_id, recorded_at FROM stored_events ORDER BY notification_id DESC LIMIT 1"
)
_SEQUENCE: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'stored_events'"
_PRUNE: Final = (
    "DELETE FROM inbox WHERE id IN (SELECT id FROM"
    " (SELECT id, recorded_at FROM inbox ORDER BY id LIMIT ?) WHERE recorded_at < ?)"
)


def insert_events(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> None:
    """Raises `sqlite3.IntegrityError` when a version or an event id is taken."""
    _insert(connection, _EVENT_ONE, _EVENT_GROUP, rows)


def insert_commands(connection: sqlite3.Connection, rows: Sequence[InboxRow]) -> None:
    _insert(connection, _INBOX_ONE, _INBOX_GROUP, rows)


def select_heads(connection: sqlite3.Connection, streams: Sequence[str]) -> dict[str, int]:
    """Last version of each stream that has any."""
    return dict(_select(connection, _HEADS, [(stream,) for stream in streams]))


def select_commands(
    connection: sqlite3.Connection, keys: Sequence[CommandKey]
) -> dict[CommandKey, tuple[bytes, int, bytes]]:
    """Request hash, position and reply of each known command."""
    rows = _select(connection, _COMMANDS, keys)
    return {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows}


def select_event_ids(
    connection: sqlite3.Connection, ids: Sequence[bytes]
) -> dict[bytes, tuple[str, int, int]]:
    """Stream, version and position of each event that exists."""
    rows = _select(connection, _EVENT_IDS, [(id,) for id in ids])
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def select_end(connection: sqlite3.Connection) -> tuple[int, int]:
    """Last position ever handed out and last recorded_at; zeros for an empty log."""
    last = connection.execute(_LAST).fetchone() or (0, 0)
    sequence = connection.execute(_SEQUENCE).fetchone() or (0,)
    return max(int(last[0]), int(sequence[0])), int(last[1])


def select_epochs(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT pool, epoch FROM leader").fetchall())


def upsert_leader(connection: sqlite3.Connection, pool: str, epoch: int, holder: str) -> None:
    connection.execute(
        "INSERT INTO leader (pool, epoch, holder) VALUES (?, ?, ?)"
        " ON CONFLICT (pool) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder",
        (pool, epoch, holder),
    )


def upsert_floor(
    connection: sqlite3.Connection, stream: str, incarnation: str, sequence: int, position: int
) -> None:
    connection.execute(
        "INSERT INTO feed_floor (stream, incarnation, sequence, position) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (stream) DO UPDATE SET incarnation = excluded.incarnation,"
        " sequence = excluded.sequence, position = excluded.position",
        (stream, incarnation, sequence, position),
    )


def delete_commands(connection: sqlite3.Connection, *, before_us: int, limit: int) -> int:
    """Looks at the `limit` oldest rows only and returns how many of them it deleted."""
    return connection.execute(_PRUNE, (limit, before_us)).rowcount


def _insert(
    connection: sqlite3.Connection, one: str, group: str, rows: Sequence[tuple[object, ...]]
) -> None:
    grouped = len(rows) - len(rows) % GROUP
    for start in range(0, grouped, GROUP):
        connection.execute(group, _flat(rows[start : start + GROUP]))
    if grouped < len(rows):
        connection.executemany(one, rows[grouped:])


def _select(
    connection: sqlite3.Connection, statement: str, keys: Sequence[tuple[object, ...]]
) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(keys), GROUP):
        group = keys[start : start + GROUP]
        # Two sizes only, so that two prepared statements serve all: the last group is filled up
        # with its last key, and a key that comes alone does not pay for fifteen others.
        size = 1 if len(group) == 1 else GROUP
        filled = [*group, *[group[-1]] * (size - len(group))]
        yield from connection.execute(_wanted(statement, len(group[0]), size), _flat(filled))


@cache
def _wanted(statement: str, width: int, size: int) -> str:
    row = "?" if width == 1 else f"({', '.join('?' * width)})"
    return statement.format(wanted=", ".join([row] * size))


def _flat(rows: Sequence[tuple[object, ...]]) -> list[object]:
    return list(chain.from_iterable(rows))
