"""Reading the SQLite log, from the appending process and from any other."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import schema
from pointsman.eventstore.archive_rows import select_linked, select_mark
from pointsman.eventstore.log_identity import LogIdentity, identity_of
from pointsman.eventstore.ports import FeedFloor, Leader
from pointsman.eventstore.stored_rows import EVENT_COLUMNS, recorded
from pointsman.eventstore.verification import LinkedEvent
from pointsman.runtime import durable_sqlite
from pointsman.runtime.errors import FatalError

POLL_S: Final = 0.25
"""How soon a reader sees what another process has appended."""

_ResultT = TypeVar("_ResultT")


class LogUnreadableError(FatalError):
    """The file is missing or damaged; the operator names the log's file or restores it."""

    code = "log_unreadable"

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"the log {path} cannot be read: {detail}.",
            next_step="Name the log's own file, or restore it from a backup.",
        )
        self.path = path


class SqliteLogReader:
    """Read-only view of a log file; implements `ports.LogReader`.

    Raises `LogUnreadableError` and `schema.LogSchemaError`. Statements run in a thread of their
    own, so a cold page or a long scan never stops the event loop.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = durable_sqlite.connect_reader(path)
        except sqlite3.Error as error:
            raise LogUnreadableError(path, str(error)) from error
        try:
            schema.check_version(self._connection, path)
        except sqlite3.Error as error:
            self._connection.close()
            raise LogUnreadableError(path, str(error)) from error
        except BaseException:
            self._connection.close()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log-reader")

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        chosen = f" AND topic IN ({', '.join('?' * len(topics))})" if topics else ""
        statement = (
            f"SELECT {EVENT_COLUMNS} FROM stored_events WHERE notification_id > ?{chosen}"  # noqa: S608 - placeholders only
            " ORDER BY notification_id LIMIT ?"
        )
        return await self._in_thread(lambda: self._events(statement, (after, *topics, limit)))

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        statement = (
            f"SELECT {EVENT_COLUMNS} FROM stored_events"  # noqa: S608 - constant names only
            " WHERE originator_id = ? AND originator_version > ? ORDER BY originator_version"
        )
        return await self._in_thread(lambda: self._events(statement, (stream.hex, after)))

    async def head(self) -> int:
        statement = "SELECT max(notification_id) FROM stored_events"
        rows = await self._in_thread(lambda: self._connection.execute(statement).fetchone())
        return int(rows[0] or 0)

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while await self.head() <= position:
            left = deadline - loop.time()
            if left <= 0:
                return False
            await asyncio.sleep(min(POLL_S, left))
        return True

    async def floor(self, stream: str) -> FeedFloor | None:
        statement = "SELECT incarnation, sequence, position FROM feed_floor WHERE stream = ?"
        row = await self._in_thread(
            lambda: self._connection.execute(statement, (stream,)).fetchone()
        )
        return None if row is None else FeedFloor(stream, *row)

    async def leader(self, pool: str) -> Leader | None:
        """The leader row of a pool; it never runs out in a file."""
        statement = "SELECT epoch, holder FROM leader WHERE pool = ?"
        row = await self._in_thread(lambda: self._connection.execute(statement, (pool,)).fetchone())
        return None if row is None else Leader(pool, int(row[0]), str(row[1]), 0.0)

    async def identity(self) -> LogIdentity:
        statement = "SELECT key, value FROM log_meta"
        rows = await self._in_thread(lambda: self._connection.execute(statement).fetchall())
        return identity_of(dict(rows))

    async def archived(self) -> str:
        return await self._in_thread(lambda: select_mark(self._connection))

    async def read_linked(self, streams: Sequence[UUID]) -> Sequence[LinkedEvent]:
        return await self._in_thread(lambda: select_linked(self._connection, streams))

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._connection.close()

    def _events(self, statement: str, parameters: Sequence[object]) -> list[Recorded]:
        # Row by row: each step lets the event loop run in between.
        return [recorded(row) for row in self._connection.execute(statement, parameters)]

    async def _in_thread(self, work: Callable[[], _ResultT]) -> _ResultT:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise LogUnreadableError(self._path, str(error)) from error
