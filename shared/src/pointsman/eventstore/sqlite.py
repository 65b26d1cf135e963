"""The log in one SQLite file, for one appending process and any number of readers."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast
from uuid import UUID

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import schema
from pointsman.eventstore.archive_rows import DeleteArchived
from pointsman.eventstore.followers import CommitListeners
from pointsman.eventstore.log_identity import LogIdentity
from pointsman.eventstore.log_reader import POLL_S, SqliteLogReader
from pointsman.eventstore.log_transaction import Answer, Job, LogTransaction, PruneInbox
from pointsman.eventstore.ports import (
    INBOX_KEEP_S,
    Append,
    AppendAnswer,
    CommitListener,
    Committed,
    FeedFloor,
    Leader,
    Leadership,
    LogInUseError,
    LogUnavailableError,
)
from pointsman.eventstore.verification import LinkedEvent
from pointsman.runtime import durable_sqlite
from pointsman.runtime.file_lock import FileInUseError, FileLock
from pointsman.runtime.group_commit import GroupCommit

_ADMINISTRATION_TIMEOUT_S: Final = 5.0

# Rows looked at in one transaction, so that appends never wait long behind pruning.
_PRUNE_ROWS: Final = 1000


def wall_clock_us() -> int:
    """Microseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1000


class SqliteEventStore:
    """Implements `ports.EventStore`; opens the file, creating it if need be.

    Construct it where it is used, on one event loop. Raises `LogInUseError`,
    `schema.LogSchemaError`, `durable_sqlite.UnsafeSettingsError` and `sqlite3.Error`.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] = wall_clock_us) -> None:
        self._clock = clock
        self._listeners = CommitListeners()
        self._waiters: dict[asyncio.Future[None], int] = {}
        try:
            self._lock = FileLock(path)
        except FileInUseError as error:
            raise LogInUseError(path, pid=error.pid) from error
        try:
            connection = durable_sqlite.connect_writer(path)
            try:
                schema.create_tables(connection, path)
                self._reader = SqliteLogReader(path)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        self._commits: GroupCommit[Job, Answer] = GroupCommit(
            connection,
            LogTransaction(self._announce, clock),
            name="log-writer",
            unavailable=LogUnavailableError,
        )

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
        """Commit and answer what waits, then release the file for another process."""
        await self._commits.close()
        await self._reader.close()
        self._lock.release()

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        return cast("AppendAnswer", await self._commits.submit(append, timeout_s=timeout_s))

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        return self._listeners.add(listener)

    async def follow(self, listener: CommitListener) -> Callable[[], None]:
        return self.on_commit(listener)

    def wake(self) -> None:
        """Nothing to do: no other process appends."""

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        return await self._reader.read(after, limit=limit, topics=topics)

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        return await self._reader.read_stream(stream, after=after)

    async def head(self) -> int:
        return await self._reader.head()

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        # Registered before the look, so that a commit in between is not missed.
        woken: asyncio.Future[None] = loop.create_future()
        self._waiters[woken] = position
        try:
            while await self._reader.head() <= position:
                left = deadline - loop.time()
                if left <= 0:
                    return False
                await asyncio.wait((woken,), timeout=min(POLL_S, left))
                if woken.done():
                    return True
            return True
        finally:
            del self._waiters[woken]

    async def leader(self, pool: str) -> Leader | None:
        return await self._reader.leader(pool)

    async def renew(self, leadership: Leadership, *, ttl_s: float) -> bool:  # noqa: ARG002 - a lead lasts as long as the file is held
        leader = await self._reader.leader(leadership.pool)
        return leader is not None and leader.epoch == leadership.epoch

    async def resign(self, leadership: Leadership) -> None:
        """Nothing to do: whoever has the file may lead."""

    async def identity(self) -> LogIdentity:
        return await self._reader.identity()

    async def floor(self, stream: str) -> FeedFloor | None:
        return await self._reader.floor(stream)

    async def set_floor(self, floor: FeedFloor) -> None:
        await self._administer(floor)

    async def prune_inbox(self, *, keep_s: float = INBOX_KEEP_S) -> int:
        before_us = self._clock() - int(keep_s * 1e6)
        deleted = 0
        while True:
            some = await self._administer(PruneInbox(before_us, _PRUNE_ROWS))
            deleted += some
            if some < _PRUNE_ROWS:
                return deleted

    async def archived(self) -> str:
        return await self._reader.archived()

    async def read_linked(self, streams: Sequence[UUID]) -> Sequence[LinkedEvent]:
        return await self._reader.read_linked(streams)

    async def delete_archived(self, job: DeleteArchived) -> int:
        return await self._administer(job)

    async def _administer(self, job: FeedFloor | PruneInbox | DeleteArchived) -> int:
        answer = await self._commits.submit(job, timeout_s=_ADMINISTRATION_TIMEOUT_S)
        return cast("int", answer)

    def _announce(self, committed: Sequence[Committed]) -> None:
        self._listeners.tell(committed)
        head = committed[-1].recorded.position
        for woken, position in self._waiters.items():
            if position < head and not woken.done():
                woken.set_result(None)
