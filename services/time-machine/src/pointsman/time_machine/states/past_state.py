"""The state of a pool at a moment: its log folded up to there."""

import time
from pathlib import Path
from typing import TypedDict

from pointsman.contracts.levels import Level
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.moments import Moment
from pointsman.time_machine.pool_log import PoolLog
from pointsman.time_machine.progress import Progress, pages_told
from pointsman.time_machine.states.devices import DeviceState, Lease, devices_of, leases_of
from pointsman.time_machine.states.standing import (
    Stands,
    Tenant,
    breakers_of,
    standing_of,
    tenants_of,
)
from pointsman.time_machine.states.waiting_work import Queue, queue_of


class PastState(TypedDict):
    """Ages and spans are counted from `at`."""

    pool: str
    position: int
    at: float
    """Seconds since the epoch."""
    epoch: int
    leader: str
    level: str
    queued: int
    granted: int
    queue: Queue
    devices: list[DeviceState]
    leases: list[Lease]
    tenants: list[Tenant]
    standing: list[Stands]
    breakers: list[str]
    folded: int
    """Events read for this."""
    seconds: float


def past_state(
    log: Path, pool_name: str, moment: Moment, *, progress: Progress | None = None
) -> PastState:
    """Raises what `row_pages` raises, `NewerEventError` and `DamagedEventError`."""
    began = time.perf_counter()
    pool = Pool(pool_name)
    folded = fold_to(log, pool, moment.position, progress=progress)
    return described(pool, moment, folded=folded, seconds=time.perf_counter() - began)


def fold_to(log: Path, pool: Pool, position: int, *, progress: Progress | None = None) -> int:
    """Fold everything up to a position; how many events that were."""
    folding, folded = PoolLog(pool), 0
    for page in pages_told(log, progress):
        rows = page if page[-1][0] <= position else [row for row in page if row[0] <= position]
        folding.fold(rows)
        folded += len(rows)
        if len(rows) < len(page):
            break
    return folded


def described(pool: Pool, moment: Moment, *, folded: int = 0, seconds: float = 0.0) -> PastState:
    """A pool that has folded everything up to a moment."""
    at = moment.time
    level = pool.influences.level
    return {
        "pool": pool.name,
        "position": moment.position,
        "at": at,
        "epoch": pool.epoch,
        "leader": pool.holder,
        "level": Level(level).value,
        "queued": pool.queued,
        "granted": len(pool.tasks) - pool.queued,
        "queue": queue_of(pool, at),
        "devices": devices_of(pool, at),
        "leases": leases_of(pool, at),
        "tenants": tenants_of(pool),
        "standing": standing_of(pool),
        "breakers": breakers_of(pool),
        "folded": folded,
        "seconds": round(seconds, 3),
    }
