"""Orders to executors as NATS requests."""

import asyncio
from typing import Final

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.contracts.leases import RECEIPT_TIMEOUT_S, LeaseOrder, LeaseReceipt

_BUS_TIMEOUT_S: Final = 1

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(LeaseReceipt)
_log = structlog.get_logger(__name__)


class NatsOrders:
    """Implements `pointsman.scheduler.ports.Orders`."""

    def __init__(self, nc: Client, pool: str) -> None:
        self._nc = nc
        self._pool = pool

    async def send(self, executor: str, order: LeaseOrder) -> LeaseReceipt | None:
        """Ask once; returns None no sooner than the receipt's time is over."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + RECEIPT_TIMEOUT_S
        try:
            reply = await self._nc.request(
                subjects.lease(self._pool, executor),
                _encoder.encode(order),
                timeout=RECEIPT_TIMEOUT_S,
            )
            return _decoder.decode(reply.data)
        except (NatsError, TimeoutError, msgspec.MsgspecError) as error:
            _log.info("order_not_received", executor=executor, error=repr(error))
        # An executor that is starting has no subscription yet, which is answered at once.
        await asyncio.sleep(max(0.0, give_up_at - loop.time()))
        return None

    async def bus_answers(self) -> bool:
        """A half-open link looks connected for 15 s, which is longer than a lease's life."""
        try:
            await self._nc.flush(timeout=_BUS_TIMEOUT_S)
        except (NatsError, OSError, TimeoutError):
            return False
        return self._nc.is_connected
