"""A log together with its archive: whoever reads it sees every event, wherever it stands."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from heapq import merge
from itertools import islice
from typing import Protocol, TypeVar
from uuid import UUID

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.archive import Archive
from pointsman.eventstore.archive_rows import DeleteArchived
from pointsman.eventstore.log_identity import LogIdentity
from pointsman.eventstore.ports import (
    INBOX_KEEP_S,
    Append,
    AppendAnswer,
    CommitListener,
    EventStore,
    FeedFloor,
    Leader,
    Leadership,
)
from pointsman.eventstore.verification import LinkedEvent

_ResultT = TypeVar("_ResultT")


class ArchivableStore(EventStore, Protocol):
    """A store out of which events can be moved."""

    async def archived(self) -> str:
        """Name of the newest segment, empty before the first."""
        ...

    async def read_linked(self, streams: Sequence[UUID]) -> Sequence[LinkedEvent]:
        """All events of some streams with their links, in log order."""
        ...

    async def delete_archived(self, job: DeleteArchived) -> int:
        """See `DeleteArchived`; one short transaction."""
        ...


class ArchivedLog:
    """Implements `ports.EventStore` over a store and the archive of its log.

    Reading raises `ArchiveDamagedError` besides. Closing it closes the store.
    """

    def __init__(self, store: ArchivableStore, archive: Archive) -> None:
        self.store = store
        self.archive = archive
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="archive-reader")

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        # The log first: what is moved meanwhile is then found in the archive.
        here = await self.store.read(after, limit=limit, topics=topics)
        await self.refresh()
        if not any(each.header.last > after for each in self.archive.segments()):
            return here
        there = await self.in_thread(lambda: self.archive.read(after, limit=limit, topics=topics))
        return list(islice(_once(merge(here, there, key=_position)), limit))

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        here = await self.store.read_stream(stream, after=after)
        if here and here[0].version == after + 1:
            return here
        await self.refresh()
        if not self.archive.segments():
            return here
        there = await self.in_thread(lambda: self.archive.read_stream(stream, after=after))
        # A stream is archived as a whole; it stands in both while it is being moved.
        return there or here

    async def refresh(self) -> None:
        """Take in what has been archived since, by whichever process."""
        if self.archive.has_strangers():
            newest = await self.store.archived()
            await self.in_thread(lambda: self.archive.follow(newest))

    async def in_thread(self, work: Callable[[], _ResultT]) -> _ResultT:
        """Do something with the archive."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def head(self) -> int:
        return await self.store.head()

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        return await self.store.wait_beyond(position, timeout_s=timeout_s)

    async def identity(self) -> LogIdentity:
        return await self.store.identity()

    async def floor(self, stream: str) -> FeedFloor | None:
        return await self.store.floor(stream)

    async def close(self) -> None:
        await self.store.close()
        await asyncio.to_thread(self._thread.shutdown)

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        return await self.store.append(append, timeout_s=timeout_s)

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        return self.store.on_commit(listener)

    async def follow(self, listener: CommitListener) -> Callable[[], None]:
        return await self.store.follow(listener)

    def wake(self) -> None:
        self.store.wake()

    async def leader(self, pool: str) -> Leader | None:
        return await self.store.leader(pool)

    async def renew(self, leadership: Leadership, *, ttl_s: float) -> bool:
        return await self.store.renew(leadership, ttl_s=ttl_s)

    async def resign(self, leadership: Leadership) -> None:
        await self.store.resign(leadership)

    async def set_floor(self, floor: FeedFloor) -> None:
        await self.store.set_floor(floor)

    async def prune_inbox(self, *, keep_s: float = INBOX_KEEP_S) -> int:
        return await self.store.prune_inbox(keep_s=keep_s)


def _position(event: Recorded) -> int:
    return event.position


def _once(events: Iterable[Recorded]) -> Iterator[Recorded]:
    position = 0
    for event in events:
        if event.position > position:
            position = event.position
            yield event
