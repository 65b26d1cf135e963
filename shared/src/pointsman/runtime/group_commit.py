"""One writer thread per SQLite file: what waits together is committed together.

A commit costs a sync of the disk whether it holds one row or five hundred, so the thread takes
everything that arrived during the last commit. There is no timer: a job that comes alone is
committed at once. Per batch the event loop is woken once.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from pointsman.runtime.waiting_jobs import MAX_BATCH, MAX_WAITING, Batch, Waiting, WaitingJobs

JobT = TypeVar("JobT")
JobT_contra = TypeVar("JobT_contra", contravariant=True)
AnswerT = TypeVar("AnswerT")


class Transaction(Protocol[JobT_contra, AnswerT]):
    """What happens between BEGIN and COMMIT; called in the writer thread only."""

    def run(self, connection: sqlite3.Connection, jobs: Sequence[JobT_contra]) -> Batch[AnswerT]:
        """Execute the jobs inside the open transaction."""
        ...

    def forget(self) -> None:
        """Drop what was learnt from the file: the transaction was rolled back or is in doubt."""
        ...


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
        self._queue: SimpleQueue[list[Waiting[JobT, AnswerT]] | None] = SimpleQueue()
        self._ready: list[Waiting[JobT, AnswerT]] = []
        self._jobs: WaitingJobs[JobT, AnswerT] = WaitingJobs(
            self._make_ready, unavailable, max_waiting=max_waiting
        )
        # A daemon, so that a program that dies without `close` is not held up by a quiet queue.
        self._thread = threading.Thread(target=self._write, name=name, daemon=True)
        self._thread.start()

    async def submit(self, job: JobT, *, timeout_s: float) -> AnswerT:
        """Commit a job with whatever else waits, and return its answer.

        Cancelling the caller does not take the job back. After `timeout_s` the error of
        `unavailable` is raised and the job is in doubt.
        """
        return await self._jobs.submit(job, timeout_s=timeout_s)

    async def close(self) -> None:
        """Commit and answer what waits, then close the connection. Later jobs are refused."""
        if not self._jobs.closing:
            self._jobs.close()
            self._hand_over()
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._jobs.stop_watching()

    def _make_ready(self, waiting: Waiting[JobT, AnswerT]) -> None:
        # Waking the thread costs more than a job does, so the jobs of one turn of the loop wake it
        # once; they also share a commit then, instead of the first one having its own.
        if not self._ready:
            waiting.future.get_loop().call_soon(self._hand_over)
        self._ready.append(waiting)

    def _hand_over(self) -> None:
        ready, self._ready = self._ready, []
        if ready:
            self._queue.put(ready)

    def _write(self) -> None:
        closing = False
        while not closing:
            waiting, closing = self._take()
            for start in range(0, len(waiting), self._max_batch):
                batch = waiting[start : start + self._max_batch]
                self._answer(batch, self._commit([each.job for each in batch]))
        self._connection.close()

    def _take(self) -> tuple[list[Waiting[JobT, AnswerT]], bool]:
        """Everything that is ready, at least one job; and whether it was the last."""
        waiting: list[Waiting[JobT, AnswerT]] = []
        ready = self._queue.get()
        while ready is not None:
            waiting += ready
            try:
                ready = self._queue.get_nowait()
            except Empty:
                return waiting, False
        return waiting, True

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

    def _answer(self, batch: Sequence[Waiting[JobT, AnswerT]], done: Batch[AnswerT]) -> None:
        loop = batch[0].future.get_loop()
        try:
            loop.call_soon_threadsafe(self._jobs.deliver, batch, done)
        except RuntimeError:
            # The loop was closed without `close`: nobody is left to answer.
            return
