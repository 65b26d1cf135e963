"""SQL of the appending thread. Rows go in groups of sixteen per statement.

Every statement gives the interpreter lock away and has to win it back from the event loop, so a
batch is executed in few statements. Groups larger than sixteen gain nothing.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

from pointsman.eventstore.append_group import EventRow, InboxRow
from pointsman.eventstore.event_chain import NO_LINK
from pointsman.eventstore.log_state import CommandKey, KnownCommand, LogEnd, Whereabouts
from pointsman.eventstore.ports import FeedFloor, Leader

GROUP: Final = 16


def _row(width: int) -> str:
    return f"({', '.join('?' * width)})"


_EVENT: Final = (
    "INSERT INTO stored_events (originator_id, originator_version, topic, state,"
    " notification_id, event_id, recorded_at, tenant, leader_epoch, chain) VALUES "
)
_INBOX: Final = (
    "INSERT INTO inbox (consumer, tenant, message_id, request_hash, position, reply, recorded_at)"
    " VALUES "
)
_EVENT_ONE: Final = _EVENT + _row(10)
_EVENT_GROUP: Final = _EVENT + ", ".join([_row(10)] * GROUP)
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
    "SELECT notification_id, recorded_at, chain FROM stored_events"
    " ORDER BY notification_id DESC LIMIT 1"
)
_SEQUENCE: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'stored_events'"
_PRUNE: Final = (
    "DELETE FROM inbox WHERE id IN (SELECT id FROM"
    " (SELECT id, recorded_at FROM inbox ORDER BY id LIMIT ?) WHERE recorded_at < ?)"
)


def insert_events(connection: sqlite3.Connection, rows: Sequence[EventRow]) -> None:
    """Raises `sqlite3.IntegrityError` when a version or an event id is taken."""
    _insert(connection, _EVENT_ONE, _EVENT_GROUP, [(row[0].hex(), *row[1:]) for row in rows])


def insert_commands(connection: sqlite3.Connection, rows: Sequence[InboxRow]) -> None:
    _insert(connection, _INBOX_ONE, _INBOX_GROUP, rows)


def select_heads(connection: sqlite3.Connection, streams: Sequence[bytes]) -> dict[bytes, int]:
    """Last version of each stream that has any."""
    rows = _select(connection, _HEADS, [(stream.hex(),) for stream in streams])
    return {bytes.fromhex(stream): version for stream, version in rows}


def select_commands(
    connection: sqlite3.Connection, keys: Sequence[CommandKey]
) -> dict[CommandKey, KnownCommand]:
    """Each command that is known."""
    rows = _select(connection, _COMMANDS, keys)
    return {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows}


def select_event_ids(
    connection: sqlite3.Connection, ids: Sequence[bytes]
) -> dict[bytes, Whereabouts]:
    """Each event that exists."""
    rows = _select(connection, _EVENT_IDS, [(id,) for id in ids])
    return {row[0]: (bytes.fromhex(row[1]), row[2], row[3]) for row in rows}


def select_end(connection: sqlite3.Connection) -> LogEnd:
    """The last event; its position is the last that was ever handed out."""
    position, time_us, chain = connection.execute(_LAST).fetchone() or (0, 0, NO_LINK)
    (sequence,) = connection.execute(_SEQUENCE).fetchone() or (0,)
    return LogEnd(max(int(position), int(sequence)), int(time_us), chain)


def select_leaders(connection: sqlite3.Connection) -> dict[str, Leader]:
    rows = connection.execute("SELECT pool, epoch, holder FROM leader")
    return {pool: Leader(pool, epoch, holder, 0.0) for pool, epoch, holder in rows}


def upsert_leader(connection: sqlite3.Connection, leader: Leader) -> None:
    connection.execute(
        "INSERT INTO leader (pool, epoch, holder) VALUES (?, ?, ?)"
        " ON CONFLICT (pool) DO UPDATE SET epoch = excluded.epoch, holder = excluded.holder",
        (leader.pool, leader.epoch, leader.holder),
    )


def upsert_floor(connection: sqlite3.Connection, floor: FeedFloor) -> None:
    connection.execute(
        "INSERT INTO feed_floor (stream, incarnation, sequence, position) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (stream) DO UPDATE SET incarnation = excluded.incarnation,"
        " sequence = excluded.sequence, position = excluded.position",
        (floor.stream, floor.incarnation, floor.sequence, floor.position),
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
