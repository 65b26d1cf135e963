"""One connection that appends: what waits together is committed together.

A commit whose answer is lost is in doubt: the batch is decided again on a new connection, where
the ids of its events tell whether it had landed.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from pointsman.contracts.events import Decision
from pointsman.eventstore import postgres_statements as sql
from pointsman.eventstore.followers import Followers
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Committed,
    LogUnavailableError,
    NewEvent,
)
from pointsman.eventstore.postgres_connections import Connection, Database, close
from pointsman.eventstore.postgres_errors import LOST, UnstorableError
from pointsman.eventstore.postgres_transaction import Outcome, PostgresTransaction
from pointsman.runtime.errors import FatalError
from pointsman.runtime.waiting_jobs import MAX_BATCH, Batch, Waiting, WaitingJobs

POLL_S: Final = 0.25
"""How soon a follower hears of other processes that do not say that they have appended."""

# Longer than the server lets anybody wait for a lock, shorter than an append waits for its answer,
# so that a line that was cut is found out while there is time to use another one.
_TRANSACTION_S: Final = 4.0

_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 0.5
_PAGE: Final = 2_000

_Job = Waiting[Append, AppendAnswer]

_logger: Final = logging.getLogger(__name__)


class PostgresWriter:
    """`session` is a first connection with its name.

    `announce` gets the commits of this process, before their answers.
    """

    def __init__(
        self,
        database: Database,
        session: tuple[Connection, str],
        transaction: PostgresTransaction,
        announce: Callable[[Sequence[Committed]], None],
    ) -> None:
        self._database = database
        self._connection: Connection | None = session[0]
        self._transaction = transaction
        self._announce = announce
        self._session = session[1]
        self._lost_session = ""
        self._behind = False
        self._doubtful: dict[bytes, NewEvent] = {}
        self._queue: deque[_Job] = deque()
        self._signal = asyncio.Event()
        self._jobs: WaitingJobs[Append, AppendAnswer] = WaitingJobs(
            self._take_over, LogUnavailableError
        )
        self.followers = Followers()
        self._task = asyncio.create_task(self._write(), name="log-writer")

    async def append(self, append: Append, *, timeout_s: float) -> AppendAnswer:
        return await self._jobs.submit(append, timeout_s=timeout_s)

    def wake(self) -> None:
        """Look at the log now, if somebody follows it."""
        self._signal.set()

    async def close(self) -> None:
        """Commit and answer what waits, as long as its callers wait."""
        self._jobs.close()
        self._signal.set()
        await self._task
        self._jobs.stop_watching()
        if self._connection is not None:
            await close(self._connection)

    def _take_over(self, job: _Job) -> None:
        self._queue.append(job)
        self._signal.set()

    async def _write(self) -> None:
        while self._queue or not self._jobs.closing:
            if not self._queue:
                await self._wait()
            self._signal.clear()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
            if batch:
                await self._commit(batch)
            elif self.followers.position is not None:
                await self._look()

    async def _wait(self) -> None:
        if self._behind and self.followers.position is not None:
            return
        limit_s = None if self.followers.position is None else POLL_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._signal.wait()

    async def _commit(self, batch: Sequence[_Job]) -> None:
        failure: Exception = LogUnavailableError("no answer in time")
        outcome: Outcome | None = None
        waiting = list(batch)
        pause_s = _PAUSE_S
        while waiting and outcome is None:
            try:
                outcome = await self._try(waiting)
            except Exception as error:  # noqa: BLE001 - each kind has its consequence there
                if _is_unstorable(error) and len(batch) > 1:
                    await self._roll_back()
                    for job in batch:
                        await self._commit([job])
                    return
                failure, again = await self._give_up(error, waiting)
                if not again:
                    break
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                now = asyncio.get_running_loop().time()
                waiting = [job for job in waiting if job.deadline > now]
        answers = {} if outcome is None else dict(zip(waiting, outcome.answers, strict=True))
        given = [answers.get(job, failure) for job in batch]
        self._jobs.deliver(batch, Batch(given, lambda: self._tell(outcome)))

    async def _give_up(self, error: Exception, waiting: Sequence[_Job]) -> tuple[Exception, bool]:
        """After a failed transaction: what its callers are told, and whether to try it again."""
        detail = str(error) or type(error).__name__
        if _is_unstorable(error):
            await self._roll_back()
            return UnstorableError(detail), False
        if isinstance(error, asyncpg.LockNotAvailableError):
            await self._roll_back()
            return LogUnavailableError(f"somebody keeps it locked: {detail}"), True
        if isinstance(error, LOST):
            self._lose(waiting)
            return LogUnavailableError(detail), True
        if isinstance(error, asyncpg.PostgresError):
            await self._roll_back()
            return LogUnavailableError(detail), False
        self._lose(waiting)
        if isinstance(error, FatalError):
            return LogUnavailableError(detail), False
        _logger.error("a batch of appends failed", exc_info=error)
        return error, False

    async def _try(self, waiting: Sequence[_Job]) -> Outcome:
        # Outside of the append lock as long as there is much to read.
        while self._behind and self.followers.position is not None:
            await self._read_page()
        connection = await self._connected()
        async with asyncio.timeout(_TRANSACTION_S):
            outcome = await self._transaction.run(
                connection,
                [job.job for job in waiting],
                self._doubtful,
                self.followers.position,
            )
        self._doubtful.clear()
        return outcome

    def _tell(self, outcome: Outcome | None) -> None:
        if outcome is None:
            return
        if outcome.own:
            self._announce(outcome.own)
        self.followers.deliver(outcome.followed, after=outcome.after)

    async def _look(self) -> None:
        """Tell followers what others have appended."""
        try:
            await self._read_page()
        except (*LOST, asyncpg.PostgresError, FatalError):
            self._lose(())
            await asyncio.sleep(_PAUSE_S)

    async def _read_page(self) -> None:
        followed = self.followers.position
        if followed is None:
            return
        connection = await self._connected()
        async with asyncio.timeout(_TRANSACTION_S):
            rows = await connection.fetch(sql.READ, followed, _PAGE)
        found = [sql.recorded(row) for row in rows]
        self.followers.deliver(
            [Committed(event, self._own_event(event.id.bytes)) for event in found], after=followed
        )
        self._behind = len(rows) == _PAGE

    def _own_event(self, event_id: bytes) -> Decision | None:
        event = self._doubtful.get(event_id)
        return None if event is None else event.event

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._transaction.forget()
            connection, name = await self._database.connect()
            self._connection, self._session = connection, name
            async with asyncio.timeout(_TRANSACTION_S):
                await self._database.require_durable(connection)
                if self._lost_session:
                    await connection.execute(sql.END_SESSION, self._lost_session)
                    self._lost_session = ""
        return self._connection

    def _lose(self, waiting: Sequence[_Job]) -> None:
        if self._transaction.commit_sent:
            self._doubtful.update(
                (event.id.bytes, event) for job in waiting for event in job.job.events
            )
            self._transaction.commit_sent = False
        if self._connection is not None:
            with contextlib.suppress(asyncpg.InterfaceError, OSError):
                self._connection.terminate()
            self._connection, self._lost_session = None, self._session
            self._behind = True

    async def _roll_back(self) -> None:
        self._transaction.forget()
        try:
            if self._connection is not None:
                async with asyncio.timeout(_TRANSACTION_S):
                    await self._connection.execute("ROLLBACK")
        except (*LOST, asyncpg.PostgresError):
            self._transaction.commit_sent = False
            self._lose(())


def _is_unstorable(error: Exception) -> bool:
    """The server's word for it, and the driver's, whose type is a `ValueError`."""
    return isinstance(error, asyncpg.DataError) or (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    )
