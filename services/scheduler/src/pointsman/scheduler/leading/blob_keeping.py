"""Deleting payloads and results whose time is over.

What open tasks and schedules need is used every hour.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Final

import structlog

from pointsman.contracts.message import BlobRef
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.ports import Contents

EVERY_S: Final = 3600.0
"""A payload is kept for this much less than its time after the end of its task, at the most."""
_FIRST_AFTER_S: Final = 300.0

_log = structlog.get_logger(__name__)


async def keep_blobs(
    pool: Pool, contents: Contents, *, every_s: float = EVERY_S, first_s: float = _FIRST_AFTER_S
) -> None:
    """Sweep again and again, until cancelled."""
    await asyncio.sleep(first_s)
    while True:
        try:
            await contents.use(_needed(pool))
            await contents.sweep()
        except sqlite3.Error as error:
            # Nothing is lost: what could not be swept takes its room until the next time.
            _log.warning("blobs_not_swept", error=str(error))
        await asyncio.sleep(every_s)


def _needed(pool: Pool) -> Iterator[tuple[str, BlobRef]]:
    for task in list(pool.tasks.values()):
        accepted = task.accepted
        yield accepted.tenant, accepted.payload
        if task.payload is not accepted.payload:
            yield accepted.tenant, task.payload
        if task.parts is not None:
            # A whole may be older than the parts that it still waits for.
            yield from ((accepted.tenant, payload) for payload in task.parts.payloads)
            results = (end.result for end in task.parts.ended.values())
            yield from ((accepted.tenant, result) for result in results if result is not None)
        if task.checkpoint is not None:
            yield accepted.tenant, task.checkpoint.checkpoint
    for schedule in list(pool.timetable.values()):
        if schedule.terms.payload is not None:
            yield schedule.terms.tenant, schedule.terms.payload
