"""Every event of a log file as a bare row, for who folds whole logs.

An object for each would take longer than the fold itself.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from heapq import merge
from pathlib import Path
from typing import Final

from pointsman.eventstore import schema
from pointsman.eventstore.archive import ARCHIVE, Archive
from pointsman.eventstore.archive_rows import select_mark
from pointsman.eventstore.archive_segment import ArchiveDamagedError
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.runtime import durable_sqlite

LogRow = tuple[int, str, int, str, int, bytes]
"""Position, stream in hexadecimal, version in it, topic, recorded at (microseconds since the epoch)
and stored bytes."""

_PAGE: Final = 2_000
_COLUMNS: Final = "notification_id, originator_id, originator_version, topic, recorded_at, state"
_LAST: Final = (
    "SELECT notification_id, recorded_at FROM stored_events ORDER BY notification_id DESC LIMIT 1"
)


def row_pages(path: Path, *, topics: Sequence[str] = ()) -> Iterator[list[LogRow]]:
    """The events of a log file in order, with those in the archive beside it.

    All of them are of the moment at which the first page is asked for. Of files that are damaged
    all that stands before the damage comes first. Raises `LogUnreadableError`, `LogSchemaError` and
    `ArchiveDamagedError`.
    """
    try:
        with closing(durable_sqlite.connect_reader(path)) as log:
            schema.check_version(log, path)
            # One state of the log: what is archived meanwhile would be in neither.
            log.execute("BEGIN")
            archive = Archive(path.parent / ARCHIVE)
            archive.follow(select_mark(log))
            if not archive.segments():
                yield from _pages(log, topics)
                return
            here = (row for page in _pages(log, topics) for row in page)
            yield from _paged(_once(merge(here, _archived(archive, topics))))
    except (sqlite3.Error, ValueError) as error:
        raise LogUnreadableError(path, str(error)) from error


def last_row(path: Path) -> tuple[int, int] | None:
    """Position of the last event of a log file, and when it was recorded; None: there is none.

    Microseconds since the epoch. It is never in the archive. Raises `LogUnreadableError` and
    `LogSchemaError`.
    """
    try:
        with closing(durable_sqlite.connect_reader(path)) as log:
            schema.check_version(log, path)
            last: tuple[int, int] | None = log.execute(_LAST).fetchone()
            return last
    except sqlite3.Error as error:
        raise LogUnreadableError(path, str(error)) from error


def _pages(log: sqlite3.Connection, topics: Sequence[str]) -> Iterator[list[LogRow]]:
    chosen = f" AND topic IN ({', '.join('?' * len(topics))})" if topics else ""
    statement = f"SELECT {_COLUMNS} FROM stored_events WHERE notification_id > ?{chosen} ORDER BY 1"  # noqa: S608 - placeholders only
    position = 0
    try:
        cursor = log.execute(statement, (position, *topics))
        while page := cursor.fetchmany(_PAGE):
            yield page
            position = page[-1][0]
    except sqlite3.DatabaseError:
        # A cursor that meets damage keeps the rows that it had in hand.
        one = f"{statement} LIMIT 1"
        yield from _paged(_one_by_one(log, one, position, topics))
        raise


def _one_by_one(
    log: sqlite3.Connection, statement: str, position: int, topics: Sequence[str]
) -> Iterator[LogRow]:
    while (row := log.execute(statement, (position, *topics)).fetchone()) is not None:
        yield row
        position = row[0]


def _paged(rows: Iterable[LogRow]) -> Iterator[list[LogRow]]:
    page: list[LogRow] = []
    try:
        for row in rows:
            page.append(row)
            if len(page) == _PAGE:
                yield page
                page = []
    except (sqlite3.Error, ArchiveDamagedError):
        if page:
            yield page
        raise
    if page:
        yield page


def _archived(archive: Archive, topics: Sequence[str]) -> Iterator[LogRow]:
    for linked in archive.linked():
        event = linked.event
        if not topics or event.type in topics:
            state = bytes(event.data)
            yield event.position, event.stream.hex, event.version, event.type, event.time_us, state


def _once(rows: Iterable[LogRow]) -> Iterator[LogRow]:
    """While it is moved, an event stands in both."""
    position = 0
    for row in rows:
        if row[0] > position:
            position = row[0]
            yield row
