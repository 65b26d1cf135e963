"""What the appending thread remembers of the log between two transactions."""

import sqlite3
from collections.abc import Iterable
from typing import Final

from pointsman.eventstore import log_statements as sql

_MAX_HEADS: Final = 131_072
"""Streams whose last version is remembered, about 25 MB; the oldest half goes beyond it."""


class LogState:
    """Valid because one process appends; read again when another program has written anyway."""

    def __init__(self) -> None:
        self.position = 0
        """Last position handed out."""
        self.time_us = 0
        """recorded_at of that event."""
        self.heads: dict[str, int] = {}
        """Last version by stream; complete for the streams of the present batch."""
        self.epochs: dict[str, int] = {}
        """Leader epoch by pool."""
        self._data_version = -1

    def forget(self) -> None:
        """Read everything again before it is used next."""
        self._data_version = -1

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Start a batch; SQLite's data version changes when another connection commits."""
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._data_version:
            self._data_version = version
            self.heads.clear()
            self.position, self.time_us = sql.select_end(connection)
            self.epochs = sql.select_epochs(connection)

    def remember_heads(self, connection: sqlite3.Connection, streams: Iterable[str]) -> None:
        """Make `heads` complete for these streams."""
        if len(self.heads) > _MAX_HEADS:
            self.heads = dict(list(self.heads.items())[_MAX_HEADS // 2 :])
        unknown = [stream for stream in dict.fromkeys(streams) if stream not in self.heads]
        if unknown:
            self.heads.update(dict.fromkeys(unknown, 0))
            self.heads.update(sql.select_heads(connection, unknown))
