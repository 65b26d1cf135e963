"""The scheduler, the executors and the listeners of readings, over the bus."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.contracts.canaries import CanaryAnswer, RunCanary
from pointsman.contracts.queries import AskPool, DeviceRow
from pointsman.contracts.telemetry import DeviceReading

_DEVICES_TIMEOUT_S: Final = 1.0
# An executor that is told of a timeout answers after it.
_MARGIN_S: Final = 1.0

_encoder: Final = msgspec.json.Encoder()
_rows: Final = msgspec.json.Decoder(list[DeviceRow])
_answers: Final = msgspec.json.Decoder(list[CanaryAnswer])
_question: Final = _encoder.encode(AskPool())


class NatsPoolDevices:
    """Implements `ports.PoolDevices`; `pools` are those that were heard of."""

    def __init__(self, nc: Client, pools: Callable[[], Iterable[str]] = tuple) -> None:
        self._nc = nc
        self._pools = pools
        self._rows: dict[str, Sequence[DeviceRow]] = {}

    async def devices(self) -> Sequence[DeviceRow] | None:
        """What a leader said last counts while it is silent; None when nobody answers."""
        pools = list(self._pools())
        if len(pools) <= 1:
            return await self._ask(None)
        answers = await asyncio.gather(*(self._ask(pool) for pool in pools))
        heard = {pool: rows for pool, rows in zip(pools, answers, strict=True) if rows is not None}
        self._rows.update(heard)
        return [row for rows in self._rows.values() for row in rows] if heard else None

    async def _ask(self, pool: str | None) -> Sequence[DeviceRow] | None:
        subject = subjects.query("scheduler", "devices", pool)
        try:
            reply = await self._nc.request(subject, _question, timeout=_DEVICES_TIMEOUT_S)
            return _rows.decode(reply.data)
        except (NatsError, TimeoutError, msgspec.MsgspecError):
            # A refusal is no list either.
            return None


class NatsExecutors:
    """Implements `ports.Executors`."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def run(self, executor: str, canary: RunCanary) -> CanaryAnswer | None:
        subject = subjects.command("executor", "canary", executor)
        try:
            reply = await self._nc.request(
                subject, _encoder.encode([canary]), timeout=canary.timeout_s + _MARGIN_S
            )
            (answer,) = _answers.decode(reply.data)
        except (NatsError, TimeoutError, ValueError):
            # `MsgspecError` is a `ValueError`: whoever answers something else is no executor.
            return None
        return answer


class NatsReadings:
    """Implements `ports.Readings`."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def publish(self, reading: DeviceReading) -> None:
        # Readings are lossy: while the server is away the next one is as good.
        with contextlib.suppress(NatsError):
            await self._nc.publish(
                subjects.device_reading(reading.device), _encoder.encode(reading)
            )
