"""When a leader writes its pool down, and that a start goes on from there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.adapters.snapshot_files import SnapshotFiles
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy
from pointsman.scheduler.leading.folding import Folding
from pointsman.scheduler.leading.pool_snapshots import (
    EVERY_EVENTS,
    EVERY_S,
    due,
    keep_snapshots,
    newest_snapshot,
    take_snapshot,
)
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.waiting import wait_until
from tests.support.leading import World, scheduler
from tests.support.pool_state import state
from tests.support.scheduling import submission


@dataclass(slots=True)
class SnapshotList:
    """Implements `ports.Snapshots` with positions only; `error` makes the next writing fail."""

    positions: list[int] = field(default_factory=list[int])
    error: OSError | None = None

    async def restore(self, pool: Pool, *, incarnation: str, head: int) -> int:
        return 0

    async def save(self, copy: PoolCopy, *, pool: str, incarnation: str) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        self.positions.append(copy.position)


@asynccontextmanager
async def keeping(pool: Pool, snapshots: SnapshotList, clock: FakeClock) -> AsyncGenerator[None]:
    keeper = asyncio.create_task(
        keep_snapshots(pool, MemoryEventStore(), snapshots, clock, look_s=0.001)
    )
    try:
        yield
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper


@pytest.mark.parametrize(
    ("events", "age_s", "expected"),
    [
        (EVERY_EVENTS, 0.0, True),
        (EVERY_EVENTS - 1, EVERY_S - 0.1, False),
        (1, EVERY_S, True),
        (0, 10 * EVERY_S, False),
    ],
)
def test_a_pool_is_written_down_after_so_many_events_or_a_minute_with_any(
    events: int, age_s: float, *, expected: bool
) -> None:
    assert due(events, age_s) is expected


async def test_a_disk_that_cannot_be_written_is_tried_again_in_the_next_turn() -> None:
    pool, clock = Pool("main"), FakeClock()
    snapshots = SnapshotList(error=OSError(28, "No space left on device"))
    async with keeping(pool, snapshots, clock):

        def tried() -> bool:
            pool.applied_to += EVERY_EVENTS
            return snapshots.error is None

        await wait_until(tried)
        pool.applied_to += EVERY_EVENTS

        await wait_until(lambda: snapshots.positions == [pool.applied_to])


async def test_a_start_from_a_snapshot_and_the_rest_of_the_log_is_the_whole_fold(
    tmp_path: Path,
) -> None:
    world, snapshots = World(), SnapshotFiles(tmp_path)
    leading = await scheduler(world)
    for number in range(5):
        await leading.submissions.submit(submission(command_id=f"{number}"), door="command")
    position = await take_snapshot(leading.pool, world.store, snapshots)
    await leading.submissions.submit(submission(command_id="later"), door="command")

    pool = Pool("main")
    await newest_snapshot(pool, world.store, snapshots)
    restored_to = pool.applied_to
    await Folding(pool, world.store, EventCodec(), on_broken=leading.broken.append).start()

    assert restored_to == position
    assert len(pool.tasks) == 6
    assert state(pool, world.clock.wall()) == state(leading.pool, world.clock.wall())
