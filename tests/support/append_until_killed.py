"""A program that appends pairs of events until it is killed.

Writes a line for each acknowledged append: its two positions and its stream.
"""

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

from pointsman.eventstore import Append, Appended, SqliteEventStore
from tests.support.log_events import an_event


async def append_for_ever(store: SqliteEventStore) -> None:
    while True:
        stream = uuid4()
        answer = await store.append(Append([an_event(stream, 1), an_event(stream, 2)]))
        if isinstance(answer, Appended):
            print(*answer.positions, stream.hex, flush=True)  # noqa: T201 - the parent reads it


async def main(path: Path) -> None:
    store = SqliteEventStore(path)
    await asyncio.gather(*(append_for_ever(store) for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
