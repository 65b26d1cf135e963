"""The newest events in memory, for the readers of one process that follow the log."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, Self
from uuid import UUID

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.log_identity import LogIdentity
from pointsman.eventstore.ports import Committed, EventStore, FeedFloor

KEEP_EVENTS: Final = 4096
"""About 5 MB; a reader that is further behind reads the store."""


class LogTail:
    """Implements `ports.LogReader` over a store that it follows; `following` makes one.

    A reader that follows closely costs neither a thread nor a query: statements in a thread wait
    for the interpreter lock at every row while the event loop is busy. Closing it closes nothing;
    the store outlives it.
    """

    def __init__(self, store: EventStore, *, keep: int) -> None:
        self._store = store
        self._keep = keep
        self._events: list[Recorded] = []
        self._waiters: set[asyncio.Future[None]] = set()
        self._end: Callable[[], None] | None = None

    @classmethod
    async def following(cls, store: EventStore, *, keep: int = KEEP_EVENTS) -> Self:
        """A tail that hears of every commit from now on, whoever makes it."""
        tail = cls(store, keep=keep)
        tail._end = await store.follow(tail._take)
        return tail

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        kept = self._events
        if not kept or after + 1 < kept[0].position:
            return await self._store.read(after, limit=limit, topics=topics)
        start = bisect_right(kept, after, key=_position)
        if not topics:
            return kept[start : start + limit]
        return [event for event in kept[start:] if event.type in topics][:limit]

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        return await self._store.read_stream(stream, after=after)

    async def head(self) -> int:
        return self._events[-1].position if self._events else await self._store.head()

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        if self._events:
            if self._events[-1].position > position:
                return True
        elif await self._store.head() > position:
            return True
        # No await since the look, so a commit in between is not missed.
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(woken)
        try:
            await asyncio.wait((woken,), timeout=timeout_s)
            return woken.done()
        finally:
            self._waiters.discard(woken)

    async def identity(self) -> LogIdentity:
        return await self._store.identity()

    async def floor(self, stream: str) -> FeedFloor | None:
        return await self._store.floor(stream)

    async def close(self) -> None:
        """Follow the store no more."""
        if self._end is not None:
            self._end()

    def _take(self, committed: Sequence[Committed]) -> None:
        self._events.extend(each.recorded for each in committed)
        if len(self._events) > 2 * self._keep:
            # A new list, because readers hold slices by position, not by index.
            self._events = self._events[-self._keep :]
        waiters, self._waiters = self._waiters, set()
        for woken in waiters:
            if not woken.done():
                woken.set_result(None)


def _position(event: Recorded) -> int:
    return event.position
