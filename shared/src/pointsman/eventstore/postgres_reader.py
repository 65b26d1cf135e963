"""Reading the PostgreSQL log, from any process."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

import asyncpg

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import postgres_schema
from pointsman.eventstore import postgres_statements as sql
from pointsman.eventstore.log_identity import LogIdentity, identity_of
from pointsman.eventstore.ports import FeedFloor, LogUnavailableError
from pointsman.eventstore.postgres_connections import Connection, Database, Readers, Row
from pointsman.eventstore.postgres_errors import LOST
from pointsman.eventstore.postgres_writer import POLL_S

_PATIENCE_S: Final = 15.0
"""A server that is started again is back by then, so that nobody who reads has to start again."""

_PAUSE_S: Final = 0.1

_ResultT = TypeVar("_ResultT")


class PostgresLogReader:
    """Implements `ports.LogReader`; raises `LogUnavailableError` when the server stays away."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._news = asyncio.Event()
        self._seen = 0

    @classmethod
    async def open(cls, dsn: str) -> "PostgresLogReader":
        """Raises `LogSchemaError` and the errors of `postgres_errors`."""
        database = Database(dsn)
        connection, _ = await database.open()
        try:
            await postgres_schema.check_version(connection, database.where)
        finally:
            connection.terminate()
        return cls(database.readers())

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        async def work(connection: Connection) -> list[Row]:
            if topics:
                return await connection.fetch(sql.READ_TOPICS, after, limit, list(topics))
            return await connection.fetch(sql.READ, after, limit)

        return [sql.recorded(row) for row in await self.ask(work)]

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        rows = await self.ask(lambda c: c.fetch(sql.READ_STREAM, stream, after))
        return [sql.recorded(row) for row in rows]

    async def head(self) -> int:
        return await self.ask(_head)

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            # Taken before the look, so that a commit in between is not missed.
            news = self._news
            if self._seen > position:
                return True
            with contextlib.suppress(LogUnavailableError):
                if await self.ask(_head, patience_s=0) > position:
                    return True
            left_s = deadline - loop.time()
            if left_s <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(POLL_S, left_s)):
                    await news.wait()

    def wake(self, head: int = 0) -> None:
        """Those who wait look at the log now, which has come to `head` at least."""
        self._seen = max(self._seen, head)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def floor(self, stream: str) -> FeedFloor | None:
        row = await self.ask(lambda c: c.fetchrow(sql.FLOOR, stream))
        return None if row is None else FeedFloor(stream, row[0], row[1], row[2])

    async def identity(self) -> LogIdentity:
        rows = await self.ask(lambda c: c.fetch(sql.META))
        return identity_of({row[0]: row[1] for row in rows})

    async def close(self) -> None:
        await self._readers.close()

    async def ask(
        self, work: Callable[[Connection], Awaitable[_ResultT]], *, patience_s: float = _PATIENCE_S
    ) -> _ResultT:
        """Have a statement answered that may be repeated; raises `LogUnavailableError`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while True:
            try:
                async with self._readers.connection() as connection:
                    return await work(connection)
            except LOST as error:
                failure: Exception = error
            except asyncpg.PostgresError as error:
                raise LogUnavailableError(str(error)) from error
            if loop.time() >= until:
                raise LogUnavailableError(str(failure) or type(failure).__name__) from failure
            await asyncio.sleep(_PAUSE_S)


async def _head(connection: Connection) -> int:
    return int(await connection.fetchval(sql.HEAD))
