"""The log of a stack, read by somebody who never writes: while it grows, and at the end."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import psycopg

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.verification import LinkedEvent

_COLUMNS: Final = (
    "notification_id, event_id, originator_id, originator_version, topic,"
    " recorded_at, tenant, leader_epoch, state, chain"
)
_PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A SQLite file, or a PostgreSQL database where `dsn` is given."""

    path: Path
    dsn: str = ""

    def read(self, after: int = 0, *, limit: int | None = None) -> Iterator[Recorded]:
        """Committed events in log order, page by page; raises what the driver does."""
        return (linked.event for linked in self.linked(after, limit=limit))

    def linked(self, after: int = 0, *, limit: int | None = None) -> Iterator[LinkedEvent]:
        """The same with the links of their chain."""
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self._page(after, size)
            yield from page
            if len(page) < size:
                return
            after = page[-1].event.position
            left = None if left is None else left - len(page)

    def head(self) -> int:
        """Last committed position; 0 for an empty log."""
        (row,) = self._rows("SELECT coalesce(max(notification_id), 0) FROM stored_events", ())
        return int(str(row[0]))

    def _page(self, after: int, size: int) -> list[LinkedEvent]:
        mark = "%s" if self.dsn else "?"
        statement = (
            f"SELECT {_COLUMNS} FROM stored_events WHERE notification_id > {mark}"  # noqa: S608 - constant names only
            f" ORDER BY notification_id LIMIT {mark}"
        )
        return [_recorded(row) for row in self._rows(statement, (after, size))]

    def _rows(self, statement: str, parameters: tuple[int, ...]) -> list[tuple[object, ...]]:
        if self.dsn:
            with psycopg.connect(self.dsn, connect_timeout=2, autocommit=True) as db:
                return db.execute(statement.encode(), parameters).fetchall()
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(statement, parameters).fetchall()


def _recorded(row: tuple[object, ...]) -> LinkedEvent:
    position, event_id, stream, version, topic, time_us, tenant, epoch, state, chain = row
    event = Recorded(
        position=int(str(position)),
        id=_uuid(event_id),
        stream=_uuid(stream),
        version=int(str(version)),
        type=str(topic),
        time_us=int(str(time_us)),
        tenant=str(tenant),
        epoch=int(str(epoch)),
        data=msgspec.Raw(_bytes(state)),
    )
    return LinkedEvent(event, _bytes(chain))


def _uuid(value: object) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, bytes):
        return UUID(bytes=value)
    return UUID(hex=str(value))


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes), value
    return value
