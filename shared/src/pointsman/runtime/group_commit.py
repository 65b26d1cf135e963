"""One writer thread per SQLite file: what waits together is committed together.

A commit costs a sync of the disk whether it holds one row or five hundred, so the thread takes
everything that arrived during the last commit. There is no timer: a job that comes alone is
committed at once. Per batch the event loop is woken once.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from queue import Empty, SimpleQueue
from typing import Final, Generic, Protocol, TypeVar

MAX_BATCH: Final = 512
"""More gains nothing: the sync is then a few per cent of the batch."""

MAX_WAITING: Final = 4096
"""Jobs in memory; about a quarter of a second of work."""

JobT = TypeVar("JobT")
JobT_contra = TypeVar("JobT_contra", contravariant=True)
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Batch(Generic[AnswerT]):
    """What one transaction did."""

    answers: Sequence[AnswerT | Exception]
    """One per job, in order; an exception fails that job alone."""
    announce: Callable[[], None] | None = None
    """Called on the event loop once the commit is durable, before the answers are given."""


class Transaction(Protocol[JobT_contra, AnswerT]):
    """What happens between BEGIN and COMMIT; called in the writer thread only."""

    def run(self, connection: sqlite3.Connection, jobs: Sequence[JobT_contra]) -> Batch[AnswerT]:
        """Execute the jobs inside the open transaction."""
        ...

    def forget(self) -> None:
        """Drop what was learnt from the file: the transaction was rolled back or is in doubt."""
        ...


class _Waiting(Generic[JobT, AnswerT]):
    __slots__ = ("deadline", "future", "job")

    def __init__(self, job: JobT, future: asyncio.Future[AnswerT], deadline: float) -> None:
        self.job = job
        self.future = future
        self.deadline = deadline


class GroupCommit(Generic[JobT, AnswerT]):
    """Owns a connection and the thread that writes to it; used from one event loop.

    `unavailable` makes the error that callers see when the file cannot be written, the queue
    stays full or the answer is late.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        transaction: Transaction[JobT, AnswerT],
        *,
        name: str,
        unavailable: Callable[[str], Exception],
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._unavailable = unavailable
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._queue: SimpleQueue[_Waiting[JobT, AnswerT] | None] = SimpleQueue()
        self._waiting: deque[_Waiting[JobT, AnswerT]] = deque()
        self._room: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._closing = False
        # A daemon, so that a program that dies without `close` is not held up by a quiet queue.
        self._thread = threading.Thread(target=self._write, name=name, daemon=True)
        self._thread.start()

    async def submit(self, job: JobT, *, timeout_s: float) -> AnswerT:
        """Commit a job with whatever else waits, and return its answer.

        Cancelling the caller does not take the job back. After `timeout_s` the error of
        `unavailable` is raised and the job is in doubt.
        """
        loop = self._loop = self._loop or asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while len(self._waiting) >= self._max_waiting and not self._closing:
            await self._wait_for_room(loop, deadline)
        if self._closing:
            raise self._unavailable("it is closed")
        waiting: _Waiting[JobT, AnswerT] = _Waiting(job, loop.create_future(), deadline)
        self._waiting.append(waiting)
        self._queue.put(waiting)
        if deadline < self._timer_at:
            self._watch(loop, deadline)
        return await waiting.future

    async def close(self) -> None:
        """Commit and answer what waits, then close the connection. Later jobs are refused."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
            self._make_room(len(self._room))
        await asyncio.to_thread(self._thread.join)
        if self._timer is not None:
            self._timer.cancel()

    async def _wait_for_room(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        place: asyncio.Future[None] = loop.create_future()
        self._room.append(place)
        try:
            async with asyncio.timeout_at(deadline):
                await place
        except TimeoutError:
            raise self._unavailable(f"{self._max_waiting} jobs already wait") from None
        finally:
            if place in self._room:
                self._room.remove(place)

    def _make_room(self, places: int) -> None:
        while places > 0 and self._room:
            place = self._room.popleft()
            if not place.done():
                place.set_result(None)
                places -= 1

    def _watch(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        # One timer for the earliest deadline, because a timer per job costs more than the job.
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = loop.call_at(deadline, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._timer_at = None, inf
        now = loop.time()
        earliest = inf
        for waiting in self._waiting:
            if waiting.future.done():
                continue
            if waiting.deadline <= now:
                waiting.future.set_exception(self._unavailable("no answer in time"))
            else:
                earliest = min(earliest, waiting.deadline)
        if earliest < inf:
            self._watch(loop, earliest)

    def _deliver(self, batch: Sequence[_Waiting[JobT, AnswerT]], done: Batch[AnswerT]) -> None:
        try:
            if done.announce is not None:
                done.announce()
        finally:
            for waiting, answer in zip(batch, done.answers, strict=True):
                self._waiting.popleft()
                if waiting.future.done():
                    continue
                if isinstance(answer, Exception):
                    waiting.future.set_exception(answer)
                else:
                    waiting.future.set_result(answer)
            if self._room:
                self._make_room(self._max_waiting - len(self._waiting))

    def _write(self) -> None:
        closing = False
        while not closing:
            batch, closing = self._take()
            if batch:
                self._answer(batch, self._commit([waiting.job for waiting in batch]))
        self._connection.close()

    def _take(self) -> tuple[list[_Waiting[JobT, AnswerT]], bool]:
        batch: list[_Waiting[JobT, AnswerT]] = []
        waiting = self._queue.get()
        while waiting is not None:
            batch.append(waiting)
            if len(batch) == self._max_batch:
                return batch, False
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _commit(self, jobs: Sequence[JobT]) -> Batch[AnswerT]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            done = self._transaction.run(self._connection, jobs)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            return Batch([self._unavailable(str(error)) for _ in jobs])
        except Exception as error:  # noqa: BLE001 - a defect in one batch must not end the thread
            self._roll_back()
            return Batch([error for _ in jobs])
        return done

    def _roll_back(self) -> None:
        self._transaction.forget()
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                # The next BEGIN reports what is wrong with the file to those who wait then.
                return

    def _answer(self, batch: Sequence[_Waiting[JobT, AnswerT]], done: Batch[AnswerT]) -> None:
        loop = batch[0].future.get_loop()
        try:
            loop.call_soon_threadsafe(self._deliver, batch, done)
        except RuntimeError:
            # The loop was closed without `close`: nobody is left to answer.
            return
