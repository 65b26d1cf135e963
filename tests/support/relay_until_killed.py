"""A program that relays a log to `pm.feed` until it is killed: a standby in another process.

Writes a line once it publishes.
"""

import asyncio
import sys
from pathlib import Path

from pointsman.eventstore.log_reader import SqliteLogReader
from pointsman.eventstore.ports import FeedFloor
from pointsman.eventstore.publications import PackedFeed
from pointsman.eventstore.relay import Relay, RelayState
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.streams import provision
from pointsman.testing.waiting import wait_until


class StandbyLog(SqliteLogReader):
    """Reads another process's log; the floor row stays with the process that appends."""

    async def set_floor(self, floor: FeedFloor) -> None:
        """Nothing is written."""


async def main(log: Path, url: str) -> None:
    connection = await nats_client(url)
    relay = Relay(
        StandbyLog(log), connection, PackedFeed(), provision=lambda: provision(connection)
    )
    running = asyncio.create_task(relay.run())
    await wait_until(lambda: relay.state is RelayState.PUBLISHING)
    print("publishing", flush=True)  # noqa: T201 - the parent reads it
    await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
