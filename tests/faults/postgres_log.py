"""Appending to the log in PostgreSQL as a careful service does, whatever is done to the server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID, uuid4

from pointsman.eventstore import Append, Appended, LogUnavailableError
from pointsman.eventstore.ports import EventStore
from pointsman.testing import wait_until
from tests.support.log_events import an_event

WRITERS: Final = 8
_WORK_S: Final = 60.0


class Appending:
    """Streams that grow event by event; an append that is in doubt is repeated as it was."""

    def __init__(self, store: EventStore) -> None:
        self.acknowledged: dict[UUID, int] = {}
        """Positions by the ids of their events."""
        self.unavailable = 0
        self._store = store
        self._stopped = False

    async def reaches(self, count: int) -> None:
        """Return when so many events are acknowledged."""
        await wait_until(lambda: len(self.acknowledged) >= count, timeout_s=_WORK_S)

    async def grow(self) -> None:
        stream, version = uuid4(), 0
        while not self._stopped:
            version += 1
            await self.append(Append([an_event(stream, version)]))

    async def append(self, append: Append) -> None:
        """Until it is answered."""
        while True:
            try:
                answer = await self._store.append(append)
            except LogUnavailableError:
                self.unavailable += 1
                if self._stopped:
                    return
            else:
                assert isinstance(answer, Appended), answer
                ids = (event.id for event in append.events)
                self.acknowledged.update(zip(ids, answer.positions, strict=True))
                return

    def stop(self) -> None:
        self._stopped = True


@asynccontextmanager
async def appending(store: EventStore) -> AsyncGenerator[Appending]:
    """Eight writers at work inside the block; behind it all of them have ended."""
    work = Appending(store)
    writers = [asyncio.create_task(work.grow()) for _ in range(WRITERS)]
    try:
        yield work
        work.stop()
        await asyncio.gather(*writers)
    finally:
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)


async def contradictions(store: EventStore, work: Appending) -> list[str]:
    """What the log does not hold as it was acknowledged, and what is wrong with its order."""
    log = await store.read(0, limit=1_000_000)
    where = {event.id: event.position for event in log}
    found = [
        f"event {id} acknowledged at {position} stands at {where.get(id)}"
        for id, position in work.acknowledged.items()
        if where.get(id) != position
    ]
    if [event.position for event in log] != list(range(1, len(log) + 1)):
        found.append("positions have gaps")
    if len(where) != len(log):
        found.append("an event stands twice")
    return found
