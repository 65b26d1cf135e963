"""SQLite files whose commits survive a power cut: WAL and `synchronous=FULL`, or refused.

WAL lets any number of readers in other processes see each commit while the writer goes on.
`synchronous=NORMAL` in WAL mode keeps the file consistent but loses acknowledged commits.
"""

import sqlite3
from pathlib import Path
from typing import Final

from pointsman.runtime.errors import FatalError

_FULL: Final = 2
_EXTRA: Final = 3

# How long a statement waits for another program that holds the file, such as a backup.
_BUSY_TIMEOUT_S: Final = 2.0

# Bytes of the log ahead that stay on disk after a large transaction.
_JOURNAL_LIMIT: Final = 64 * 1024 * 1024

# Pages that the writer keeps in memory (KiB, negative by SQLite's convention): the upper levels
# of the indexes of about two million events. Time-ordered ids touch the same few leaves, so that
# four times as much brought no throughput, and every connection would keep it after a busy hour.
_WRITER_CACHE: Final = -8_192


class UnsafeSettingsError(FatalError):
    """The operator must move the file or drop the setting: commits would not be durable here."""

    code = "unsafe_sqlite_settings"

    def __init__(self, setting: str, *, found: str, needed: str) -> None:
        super().__init__(
            f"SQLite's {setting} is {found} and must be {needed}, or a power cut loses "
            "acknowledged commits.",
            next_step="Put the file on a local disk and remove the setting that changes it.",
        )
        self.setting = setting
        self.found = found
        self.needed = needed


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open or create a file for one appending thread, in autocommit mode.

    Raises `UnsafeSettingsError` where WAL is impossible and `sqlite3.Error`.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = {_WRITER_CACHE}")
        connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}")
        require_durable(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open an existing file; every attempt to write is refused. Raises `sqlite3.Error`."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
    )


def require_durable(connection: sqlite3.Connection) -> None:
    """Raise `UnsafeSettingsError` unless a commit on this connection survives a power cut."""
    journal = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    if journal != "wal":
        raise UnsafeSettingsError("journal_mode", found=journal, needed="wal")
    synchronous = int(connection.execute("PRAGMA synchronous").fetchone()[0])
    if synchronous not in {_FULL, _EXTRA}:
        raise UnsafeSettingsError("synchronous", found=str(synchronous), needed="FULL (2)")
