"""A SQLite log as a file: copied while it is in use, and read with the links of its chain."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from pointsman.eventstore import schema
from pointsman.eventstore.archive import ARCHIVE, Archive, in_order
from pointsman.eventstore.archive_rows import select_mark
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.stored_rows import LINKED_COLUMNS, linked
from pointsman.eventstore.verification import LinkedEvent
from pointsman.runtime import durable_sqlite

_PAGE: Final = 2_000
_SELECT: Final = (
    f"SELECT {LINKED_COLUMNS} FROM stored_events WHERE notification_id > ?"  # noqa: S608 - constant names only
    " ORDER BY notification_id LIMIT ?"
)


def copy_database(source: Path, target: Path) -> None:
    """Copy one committed state of a SQLite file, whoever writes to it meanwhile; durable.

    The copy stands in one file, without a log ahead. Raises `sqlite3.Error` and `OSError`.
    """
    with (
        closing(durable_sqlite.connect_reader(source)) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode = DELETE")
    sync(target)


def sync(path: Path) -> None:
    """Make a file and its name durable."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def linked_pages(path: Path) -> Iterator[list[LinkedEvent]]:
    """Every event of a log file in order, with those in the archive beside it.

    Raises `LogUnreadableError`, `LogSchemaError` and `ArchiveDamagedError`.
    """
    try:
        with closing(durable_sqlite.connect_reader(path)) as log:
            schema.check_version(log, path)
            # One state of the log: what is archived meanwhile would be in neither.
            log.execute("BEGIN")
            archive = Archive(path.parent / ARCHIVE)
            archive.follow(select_mark(log))
            events = in_order(_linked_rows(log), archive.linked())
            while page := list(islice(events, _PAGE)):
                yield page
    except (sqlite3.Error, ValueError) as error:
        raise LogUnreadableError(path, str(error)) from error


def _linked_rows(log: sqlite3.Connection) -> Iterator[LinkedEvent]:
    position = 0
    while rows := log.execute(_SELECT, (position, _PAGE)).fetchall():
        for row in rows:
            yield linked(row)
        position = rows[-1][0]
