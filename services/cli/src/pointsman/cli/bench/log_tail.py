"""Whether a reader that tails the log of several writing processes misses a position."""

import asyncio
import sys
import time
from typing import Final, TypedDict

import msgspec
import uuid_utils.compat
import uvloop

from pointsman.contracts.events import TaskCancelled
from pointsman.eventstore.ports import Append, NewEvent
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.eventstore.postgres_reader import PostgresLogReader

PROCESSES: Final = 4
WRITERS: Final = 4
"""In each process."""

_PAGE: Final = 500


class TailFigures(TypedDict):
    """`missed` are positions that a reader had passed when they appeared."""

    seconds: float
    writers: int
    processes: int
    read: int
    missed: int
    out_of_order: int


async def tail_writers(dsn: str, seconds: float) -> TailFigures:
    """Read behind the writers without a pause until all that they appended was read."""
    reader = await PostgresLogReader.open(dsn)
    start = position = await reader.head()
    programs = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, str(seconds), stdin=asyncio.subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    ended = asyncio.gather(*(program.communicate(dsn.encode()) for program in programs))
    seen: set[int] = set()
    out_of_order = 0
    while True:
        done = ended.done()
        page = await reader.read(position, limit=_PAGE)
        for event in page:
            out_of_order += event.position <= position
            position = event.position
            seen.add(position)
        if done and not page:
            break
    head = await reader.head()
    await reader.close()
    return {
        "seconds": seconds,
        "writers": PROCESSES * WRITERS,
        "processes": PROCESSES,
        "read": len(seen),
        "missed": len(set(range(start + 1, head + 1)) - seen),
        "out_of_order": out_of_order,
    }


async def _write(dsn: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    event = TaskCancelled(at=1.5, applied_to=0, by="bench", reason="x" * 300)
    state = msgspec.json.encode(event)

    async def append(store: PostgresEventStore) -> None:
        while time.monotonic() < until:
            stream, id = uuid_utils.compat.uuid7(), uuid_utils.compat.uuid7()
            await store.append(Append([NewEvent(id, stream, 1, "task.cancelled.v1", state, event)]))

    async with await PostgresEventStore.open(dsn) as store:
        await asyncio.gather(*(append(store) for _ in range(WRITERS)))


if __name__ == "__main__":
    # The address is not an argument, because everybody may see those.
    uvloop.run(_write(sys.stdin.read(), float(sys.argv[1])))
