"""The leader's reading of its pool, once a second."""

import asyncio
from collections.abc import Mapping
from typing import NoReturn

from pointsman.contracts.telemetry import POOL_EVERY_S
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.load import NOTHING_REFUSED, sample_load
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.ports import Readings


async def publish_load(
    pool: Pool, readings: Readings, clock: Clock, refused: Mapping[str, int] = NOTHING_REFUSED
) -> NoReturn:
    """Publish until cancelled; a reading that cannot be sent is dropped."""
    while True:
        await readings.publish(sample_load(pool, at=clock.wall(), refused=refused))
        await asyncio.sleep(POOL_EVERY_S)
