"""The tables of the SQLite log, the version that they stand at, and the way there."""

import sqlite3
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.event_chain import NO_LINK, link
from pointsman.eventstore.stored_rows import EVENT_COLUMNS, recorded
from pointsman.runtime.errors import FatalError

SCHEMA_VERSION: Final = 2
"""In `PRAGMA user_version`."""

_PAGE: Final = 1000


class LogSchemaError(FatalError):
    """The file is no log that this release can open; the operator upgrades or names another."""

    code = "log_schema"

    def __init__(self, log: object, detail: str, *, next_step: str, found: int) -> None:
        super().__init__(f"{log} cannot be opened as a log: {detail}.", next_step=next_step)
        self.log = log
        self.found = found
        self.known = SCHEMA_VERSION


def create_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Make an empty file a log, and an older log one of this release; raises `LogSchemaError`."""
    if _version(connection) == 0 and not _tables(connection):
        script = resources.files("pointsman.eventstore").joinpath("schema.sql").read_text("utf-8")
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
        )
    elif _version(connection) in _MIGRATIONS:
        _migrate(connection)
    check_version(connection, path)


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `LogSchemaError` unless the file is a log of the version that this release knows."""
    found = _version(connection)
    if found == SCHEMA_VERSION:
        return
    if found > SCHEMA_VERSION:
        detail = f"its schema has version {found}, this release knows {SCHEMA_VERSION}"
        raise LogSchemaError(path, detail, next_step="Upgrade Pointsman.", found=found)
    if found in _MIGRATIONS:
        raise LogSchemaError(
            path,
            f"its schema has version {found}, and reading does not change a file",
            next_step="Start the services on it once, which brings it to this release.",
            found=found,
        )
    if found == 0 and not _tables(connection):
        raise LogSchemaError(
            path,
            "it is empty",
            next_step="Name the log's own file, or restore it from a backup.",
            found=found,
        )
    raise LogSchemaError(
        path, "another program made it", next_step="Name the log's own file.", found=found
    )


def _migrate(connection: sqlite3.Connection) -> None:
    """All versions in one transaction, so that a file is never left half way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        while (version := _version(connection)) in _MIGRATIONS:
            _MIGRATIONS[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _chain_events(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE stored_events ADD COLUMN chain BLOB NOT NULL DEFAULT x''")
    connection.execute("CREATE TABLE log_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    connection.execute("INSERT INTO log_meta VALUES ('incarnation', lower(hex(randomblob(16))))")
    position, chain = 0, NO_LINK
    while events := _events_beyond(connection, position):
        links: list[tuple[bytes, int]] = []
        for event in events:
            position, chain = event.position, link(chain, event)
            links.append((chain, position))
        connection.executemany(
            "UPDATE stored_events SET chain = ? WHERE notification_id = ?", links
        )


def _events_beyond(connection: sqlite3.Connection, position: int) -> list[Recorded]:
    rows = connection.execute(
        f"SELECT {EVENT_COLUMNS} FROM stored_events WHERE notification_id > ?"  # noqa: S608 - constant names only
        " ORDER BY notification_id LIMIT ?",
        (position, _PAGE),
    )
    return [recorded(row) for row in rows]


_MIGRATIONS: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = {1: _chain_events}
"""From each older version to the next."""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [str(name) for (name,) in rows]
