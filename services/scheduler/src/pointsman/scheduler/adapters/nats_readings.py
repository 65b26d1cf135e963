"""Readings on `pm.tel`."""

from typing import Final

import msgspec
from nats.aio.client import Client

from pointsman.contracts import subjects
from pointsman.contracts.telemetry import PoolSample

_encoder: Final = msgspec.json.Encoder()


class NatsReadings:
    """Implements `pointsman.scheduler.ports.Readings`."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def publish(self, sample: PoolSample) -> None:
        # While the bus is away the client would keep old readings and send them all at once.
        if self._nc.is_connected:
            await self._nc.publish(subjects.pool_sample(sample.pool), _encoder.encode(sample))
