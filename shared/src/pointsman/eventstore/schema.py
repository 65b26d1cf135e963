"""The tables of the SQLite log and the version that they stand at."""

import sqlite3
from importlib import resources
from pathlib import Path
from typing import Final

from pointsman.runtime.errors import FatalError

SCHEMA_VERSION: Final = 1
"""In `PRAGMA user_version`."""


class LogSchemaError(FatalError):
    """The file is no log that this release can open; the operator upgrades or names another."""

    code = "log_schema"

    def __init__(self, path: Path, detail: str, *, next_step: str, found: int) -> None:
        super().__init__(f"{path} cannot be opened as a log: {detail}.", next_step=next_step)
        self.path = path
        self.found = found
        self.known = SCHEMA_VERSION


def create_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Make an empty file a log; a log stays as it is. Raises `LogSchemaError`."""
    if _version(connection) == 0 and not _tables(connection):
        script = resources.files("pointsman.eventstore").joinpath("schema.sql").read_text("utf-8")
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;"
        )
    check_version(connection, path)


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `LogSchemaError` unless the file is a log of the version that this release knows."""
    found = _version(connection)
    if found == SCHEMA_VERSION:
        return
    if found > SCHEMA_VERSION:
        detail = f"its schema has version {found}, this release knows {SCHEMA_VERSION}"
        raise LogSchemaError(path, detail, next_step="Upgrade Pointsman.", found=found)
    raise LogSchemaError(
        path, "another program made it", next_step="Name the log's own file.", found=found
    )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return [str(name) for (name,) in rows]
