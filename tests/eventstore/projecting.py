"""Projections at work on a log, for tests."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.event_sources import EventSource
from pointsman.eventstore.projections import LogSource, Projection, ProjectionRunner
from tests.support.views import chain_value


@asynccontextmanager
async def following(
    projection: Projection, data: Path, source: EventSource
) -> AsyncGenerator[ProjectionRunner]:
    runner = ProjectionRunner(projection, data)
    task = asyncio.create_task(runner.run(source))
    try:
        yield runner
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await runner.close()


async def chain_now(projection: Projection, data: Path, store: SqliteEventStore) -> tuple[int, int]:
    async with following(projection, data, LogSource(store)) as runner:
        assert await runner.caught_up(await store.head(), timeout_s=20)
    return chain_value(runner.path)


@asynccontextmanager
async def projecting(runner: ProjectionRunner, source: EventSource) -> AsyncGenerator[None]:
    task = asyncio.create_task(runner.run(source))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await runner.close()
