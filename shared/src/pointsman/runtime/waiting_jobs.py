"""Jobs that wait for a writer: room for so many, a deadline for each, an answer for each.

Shared by the writers that commit in groups, whatever they write to. Used from one event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Generic, TypeVar

MAX_BATCH: Final = 512
"""More gains nothing: the sync is then a few per cent of the batch."""

MAX_WAITING: Final = 4096
"""Jobs in memory; about a quarter of a second of work."""

JobT = TypeVar("JobT")
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Batch(Generic[AnswerT]):
    """What one transaction did."""

    answers: Sequence[AnswerT | Exception]
    """One per job, in order; an exception fails that job alone."""
    announce: Callable[[], None] | None = None
    """Called on the event loop once the commit is durable, before the answers are given."""


class Waiting(Generic[JobT, AnswerT]):
    """A job, and who waits for its answer until when (time of the event loop)."""

    __slots__ = ("deadline", "future", "job")

    def __init__(self, job: JobT, future: asyncio.Future[AnswerT], deadline: float) -> None:
        self.job = job
        self.future = future
        self.deadline = deadline


class WaitingJobs(Generic[JobT, AnswerT]):
    """`hand_over` is given each job in order; batches are delivered in that order too.

    `unavailable` makes the error that callers see when there is no room in time, the answer is
    late or the writer is closed.
    """

    def __init__(
        self,
        hand_over: Callable[[Waiting[JobT, AnswerT]], None],
        unavailable: Callable[[str], Exception],
        *,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._hand_over = hand_over
        self._unavailable = unavailable
        self._max_waiting = max_waiting
        self._waiting: deque[Waiting[JobT, AnswerT]] = deque()
        self._room: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self.closing = False

    async def submit(self, job: JobT, *, timeout_s: float) -> AnswerT:
        """Wait for the answer to a job.

        Cancelling the caller does not take the job back. After `timeout_s` the error of
        `unavailable` is raised and the job is in doubt.
        """
        loop = self._loop = self._loop or asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while len(self._waiting) >= self._max_waiting and not self.closing:
            await self._wait_for_room(loop, deadline)
        if self.closing:
            raise self._unavailable("it is closed")
        waiting: Waiting[JobT, AnswerT] = Waiting(job, loop.create_future(), deadline)
        self._waiting.append(waiting)
        self._hand_over(waiting)
        if deadline < self._timer_at:
            self._watch(loop, deadline)
        return await waiting.future

    def deliver(self, batch: Sequence[Waiting[JobT, AnswerT]], done: Batch[AnswerT]) -> None:
        """Announce what the oldest jobs did, then answer them."""
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

    def close(self) -> None:
        """Refuse later jobs; those that wait are still answered."""
        self.closing = True
        self._make_room(len(self._room))

    def stop_watching(self) -> None:
        """Nobody waits any more."""
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
