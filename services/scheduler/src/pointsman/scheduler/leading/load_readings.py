"""The leader's reading of its pool, once a second and for whoever asks."""

import asyncio
from collections.abc import Mapping
from typing import NoReturn

from pointsman.contracts.telemetry import POOL_EVERY_S, PoolSample
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.load import NOTHING_REFUSED, sample_load
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.ports import Readings


class LoadReader:
    """Reads a pool; `refused` counts by family what was shed at its door."""

    def __init__(
        self, pool: Pool, clock: Clock, refused: Mapping[str, int] = NOTHING_REFUSED
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._refused = refused

    def read(self) -> PoolSample:
        """The pool as it is now."""
        return sample_load(self._pool, at=self._clock.wall(), refused=self._refused)


async def publish_load(reader: LoadReader, readings: Readings) -> NoReturn:
    """Publish until cancelled; a reading that cannot be sent is dropped."""
    while True:
        await readings.publish(reader.read())
        await asyncio.sleep(POOL_EVERY_S)
