"""A program that projects a log in many small transactions until it is killed.

Writes a line once it has begun.
"""

import asyncio
import sys
from pathlib import Path

from pointsman.eventstore import SqliteLogReader
from pointsman.eventstore.projections import ProjectionRunner
from pointsman.testing.waiting import wait_until
from tests.support.views import Chain, SmallBatches


async def main(data: Path) -> None:
    runner = ProjectionRunner(Chain(), data)
    before = runner.position
    running = asyncio.create_task(runner.run(SmallBatches(SqliteLogReader(data / "log.db"))))
    await wait_until(lambda: runner.position > before)
    print(runner.position, flush=True)  # noqa: T201 - the parent reads it
    await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
