"""The log in a PostgreSQL database, for any number of appending processes."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import asyncpg

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import postgres_schema
from pointsman.eventstore import postgres_statements as sql
from pointsman.eventstore.archive_rows import (
    ARCHIVED,
    POSTGRES_DELETE,
    POSTGRES_MARK,
    POSTGRES_OF_STREAMS,
    DeleteArchived,
    postgres_linked,
)
from pointsman.eventstore.followers import CommitListeners
from pointsman.eventstore.log_identity import LogIdentity
from pointsman.eventstore.ports import (
    INBOX_KEEP_S,
    Append,
    AppendAnswer,
    CommitListener,
    Committed,
    FeedFloor,
    Leader,
    Leadership,
)
from pointsman.eventstore.postgres_connections import Connection, Database
from pointsman.eventstore.postgres_errors import opening_error
from pointsman.eventstore.postgres_reader import PostgresLogReader
from pointsman.eventstore.postgres_transaction import PostgresTransaction
from pointsman.eventstore.postgres_writer import PostgresWriter
from pointsman.eventstore.verification import LinkedEvent

# A lead is renewed every second, so an answer that takes longer is of no use.
_RENEW_S: Final = 2.0
_ADMINISTRATION_S: Final = 5.0

# Rows looked at in one transaction, so that it stays short.
_PRUNE_ROWS: Final = 1000


class PostgresEventStore:
    """Implements `ports.EventStore`; `open` it on the event loop where it is used."""

    def __init__(
        self,
        database: Database,
        session: tuple[Connection, str],
        clock: Callable[[], int] | None,
    ) -> None:
        self.server = database.server
        """Version and checksums of the server, for who opens the log to tell."""
        self._clock = clock
        self._listeners = CommitListeners()
        self._reader = PostgresLogReader(database.readers())
        self._writer = PostgresWriter(database, session, PostgresTransaction(clock), self._announce)

    @classmethod
    async def open(cls, dsn: str, *, clock: Callable[[], int] | None = None) -> Self:
        """Connect, and create the tables if need be; `clock` stands in for the database's.

        Raises `LogSchemaError` and the errors of `postgres_errors`.
        """
        database = Database(dsn)
        session = await database.open()
        connection = session[0]
        try:
            await postgres_schema.create_tables(connection, database.where)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            connection.terminate()
            raise opening_error(database.where, error) from error
        except BaseException:
            connection.terminate()
            raise
        return cls(database, session, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Commit and answer what waits, then leave the database."""
        await self._writer.close()
        await self._reader.close()

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        return await self._writer.append(append, timeout_s=timeout_s)

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        return self._listeners.add(listener)

    async def follow(self, listener: CommitListener) -> Callable[[], None]:
        end = self._writer.followers.add(listener, await self._reader.head())
        # It waits without a limit while nobody follows.
        self._writer.wake()
        return end

    def wake(self) -> None:
        self._writer.wake()
        self._reader.wake()

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        return await self._reader.read(after, limit=limit, topics=topics)

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        return await self._reader.read_stream(stream, after=after)

    async def head(self) -> int:
        return await self._reader.head()

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        return await self._reader.wait_beyond(position, timeout_s=timeout_s)

    async def leader(self, pool: str) -> Leader | None:
        row = await self._reader.ask(lambda c: c.fetchrow(sql.LEADER, pool))
        return None if row is None else Leader(pool, row[0], row[1], row[2])

    async def renew(self, leadership: Leadership, *, ttl_s: float) -> bool:
        status = await self._change(
            sql.RENEW, leadership.pool, leadership.epoch, ttl_s, patience_s=_RENEW_S
        )
        return status == "UPDATE 1"

    async def resign(self, leadership: Leadership) -> None:
        await self._change(sql.RESIGN, leadership.pool, leadership.epoch, patience_s=_RENEW_S)

    async def identity(self) -> LogIdentity:
        return await self._reader.identity()

    async def floor(self, stream: str) -> FeedFloor | None:
        return await self._reader.floor(stream)

    async def set_floor(self, floor: FeedFloor) -> None:
        row = (floor.stream, floor.incarnation, floor.sequence, floor.position)
        await self._change(sql.SET_FLOOR, *row)

    async def prune_inbox(self, *, keep_s: float = INBOX_KEEP_S) -> int:
        before_us = await self._now_us() - int(keep_s * 1e6)
        deleted = 0
        while True:
            some = int(
                await self._reader.ask(
                    lambda c: c.fetchval(sql.PRUNE, before_us, _PRUNE_ROWS),
                    patience_s=_ADMINISTRATION_S,
                )
            )
            deleted += some
            if some < _PRUNE_ROWS:
                return deleted

    async def archived(self) -> str:
        mark = await self._reader.ask(lambda c: c.fetchval(POSTGRES_MARK, ARCHIVED))
        return "" if mark is None else str(mark)

    async def read_linked(self, streams: Sequence[UUID]) -> Sequence[LinkedEvent]:
        rows = await self._reader.ask(lambda c: c.fetch(POSTGRES_OF_STREAMS, list(streams)))
        return [postgres_linked(tuple(row[place] for place in range(10))) for row in rows]

    async def delete_archived(self, job: DeleteArchived) -> int:
        arguments = (ARCHIVED, job.segment, job.previous, list(job.positions))
        deleted = await self._reader.ask(lambda c: c.fetchval(POSTGRES_DELETE, *arguments))
        return int(deleted)

    async def _now_us(self) -> int:
        if self._clock is not None:
            return self._clock()
        return int(await self._reader.ask(lambda c: c.fetchval(sql.NOW_US)))

    async def _change(
        self, statement: str, *arguments: object, patience_s: float = _ADMINISTRATION_S
    ) -> str:
        return await self._reader.ask(
            lambda c: c.execute(statement, *arguments), patience_s=patience_s
        )

    def _announce(self, committed: Sequence[Committed]) -> None:
        self._listeners.tell(committed)
        self._reader.wake(committed[-1].recorded.position)
