"""Connections to the log's database, with limits on how long anything may take there."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from pointsman.eventstore.postgres_errors import (
    MINIMUM_VERSION,
    DatabaseAddressError,
    DatabaseTooOldError,
    UnsafeDatabaseError,
    opening_error,
)

CONNECT_S: Final = 5
STATEMENT_S: Final = 5.0
"""The server ends a statement that takes longer."""
LATE_S: Final = STATEMENT_S + 1.0
"""When not even the server's own limit is heard of, the connection is given up."""

_READERS: Final = 4

# Milliseconds, but keepalives in seconds. Without the idle limit a process that was stopped inside
# a transaction would keep the append lock for ever; keepalives end sessions whose client is gone.
_SESSION: Final = {
    "statement_timeout": str(int(STATEMENT_S * 1000)),
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "2000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    # The plan of a statement is kept; one that was made for empty tables must not read whole ones.
    "enable_seqscan": "off",
    "jit": "off",
}

_CHECKED: Final = ("fsync", "synchronous_commit", "full_page_writes")
_REPORTED: Final = (*_CHECKED, "data_checksums", "server_version")
_SETTINGS: Final = (
    "SELECT "
    + ", ".join(f"current_setting('{name}') AS {name}" for name in _REPORTED)
    + ", pg_is_in_recovery() AS replica"
)


class Row(Protocol):
    """A row, by the number or the name of a column."""

    def __getitem__(self, column: int | str) -> Any: ...  # noqa: ANN401 - what the column holds


class Connection(Protocol):
    """What the log uses of an asyncpg connection, which has no types for it."""

    async def execute(self, query: str, *args: object) -> str: ...

    async def fetch(self, query: str, *args: object) -> list[Row]: ...

    async def fetchrow(self, query: str, *args: object) -> Row | None: ...

    async def fetchval(self, query: str, *args: object) -> Any: ...  # noqa: ANN401 - what the column holds

    def transaction(self) -> AbstractAsyncContextManager[object]: ...

    async def copy_records_to_table(
        self, table_name: str, *, records: Sequence[tuple[object, ...]], columns: Sequence[str]
    ) -> str: ...

    def get_server_version(self) -> asyncpg.types.ServerVersion: ...

    def is_closed(self) -> bool: ...

    def terminate(self) -> None: ...

    async def close(self) -> None: ...


class Database:
    """Where a log is, and how to reach it; `where` may be shown, `dsn` may not."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.server: dict[str, str] = {}
        """What the server said of itself when it was last connected to."""
        try:
            parts = urlsplit(dsn)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            # Its own words may quote a part of the password.
            raise DatabaseAddressError("its port is no number") from None
        if parts.fragment or "@" in parts.path + parts.query:
            # Otherwise a piece of the password is taken for the path, and shown.
            raise DatabaseAddressError("/ ? # @ in a password have to be written as %2F and so on")
        if parts.scheme not in {"postgres", "postgresql"}:
            raise DatabaseAddressError("it does not begin with postgresql://")
        self.where = f"{parts.hostname or 'on this machine'}{port}{parts.path}"

    async def connect(self) -> tuple[Connection, str]:
        """A connection, and the name by which its session can be told from others.

        Raises what asyncpg does, `OSError` and `TimeoutError`.
        """
        name = f"pointsman log {uuid4().hex[:12]}"
        return await _connect(self.dsn, name), name

    async def open(self) -> tuple[Connection, str]:
        """A first connection; raises the errors that tell an operator what to do."""
        try:
            connection, name = await self.connect()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise opening_error(self.where, error) from error
        try:
            await self.require_durable(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection, name

    def readers(self) -> "Readers":
        return Readers(self.dsn)

    async def require_durable(self, connection: Connection) -> None:
        """Raise `DatabaseTooOldError` and `UnsafeDatabaseError`."""
        row = await connection.fetchrow(_SETTINGS)
        assert row is not None, "a SELECT without FROM gives a row"  # noqa: S101 - for the types
        if connection.get_server_version().major < MINIMUM_VERSION:
            raise DatabaseTooOldError(self.where, str(row["server_version"]))
        for setting in _CHECKED:
            if row[setting] == "off":
                raise UnsafeDatabaseError(self.where, setting, found="off", needed="on")
        if row["replica"]:
            raise UnsafeDatabaseError(self.where, "the role", found="a replica", needed="primary")
        self.server = {name: str(row[name]) for name in ("server_version", "data_checksums")}


class Readers:
    """A few connections for statements that are not appends; made when they are needed."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(_READERS)
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """One for the block, for as long as a statement may take.

        Raises what asyncpg does, `OSError` and `TimeoutError`. A block that fails for any other
        reason than the server's answer ends its connection, since a connection whose answer is
        outstanding is worth nothing and closing it politely can hang.
        """
        async with asyncio.timeout(LATE_S), self._places:
            connection = await self._take()
            try:
                yield connection
            except asyncpg.PostgresError:
                self._give_back(connection)
                raise
            except BaseException:
                connection.terminate()
                raise
            self._give_back(connection)

    async def close(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(close(connection) for connection in idle))

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await _connect(self._dsn, "pointsman log reader")

    def _give_back(self, connection: Connection) -> None:
        if self._closed or connection.is_closed():
            connection.terminate()
        else:
            self._idle.append(connection)


async def _connect(dsn: str, name: str) -> Connection:
    settings = _SESSION | {"application_name": name}
    connection = await asyncpg.connect(dsn, timeout=CONNECT_S, server_settings=settings)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # asyncpg has no types for it
    return cast("Connection", connection)


async def close(connection: Connection) -> None:
    """Say goodbye to the server if it listens; on a dead line that would take for ever."""
    try:
        async with asyncio.timeout(1.0):
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        with contextlib.suppress(asyncpg.InterfaceError, OSError):
            connection.terminate()
