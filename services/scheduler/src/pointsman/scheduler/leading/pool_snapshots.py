"""When a leader writes its pool down, and how it starts from that."""

import asyncio
from typing import Final

import structlog

from pointsman.eventstore.ports import EventStore
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy
from pointsman.scheduler.ports import Snapshots

EVERY_EVENTS: Final = 50_000
"""A start folds at most about so many, which takes a second."""
EVERY_S: Final = 60.0

_LOOK_S: Final = 1.0

_log = structlog.get_logger(__name__)


async def newest_snapshot(pool: Pool, store: EventStore, snapshots: Snapshots) -> None:
    """Make an empty pool what the newest usable snapshot says; without one it stays empty."""
    head = await store.head()
    await snapshots.restore(pool, incarnation=(await store.identity()).incarnation, head=head)


async def take_snapshot(pool: Pool, store: EventStore, snapshots: Snapshots) -> int:
    """Write the pool down as it is now; returns the position. Raises `OSError`."""
    incarnation = (await store.identity()).incarnation
    copy = PoolCopy(pool)
    try:
        await snapshots.save(copy, pool=pool.name, incarnation=incarnation)
    finally:
        copy.end()
    return copy.position


def due(events: int, age_s: float) -> bool:
    """Whether to write a pool down after so many events and so much time since the last time."""
    return events >= EVERY_EVENTS or (events > 0 and age_s >= EVERY_S)


async def keep_snapshots(
    pool: Pool, store: EventStore, snapshots: Snapshots, clock: Clock, *, look_s: float = _LOOK_S
) -> None:
    """Write the pool down every `EVERY_EVENTS` events or `EVERY_S`, as long as it changes."""
    position, since = pool.applied_to, clock.monotonic()
    while True:
        await asyncio.sleep(look_s)
        if not due(pool.applied_to - position, clock.monotonic() - since):
            continue
        position, since = pool.applied_to, clock.monotonic()
        try:
            await take_snapshot(pool, store, snapshots)
        except OSError as error:
            # A start without it folds more of the log; the next one is tried in its turn.
            _log.warning("snapshot_not_written", pool=pool.name, error=str(error))
