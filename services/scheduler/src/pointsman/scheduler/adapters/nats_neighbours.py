"""The other pools of the group, over the bus."""

from typing import Final

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer
from pointsman.contracts.forwarding import ForwardTask
from pointsman.contracts.telemetry import PoolSample
from pointsman.policy.group_load import GroupLoad
from pointsman.runtime.clock import Clock
from pointsman.runtime.packing_errors import (
    NoAnswerError,
    RequestRefusedError,
    RequestTooLargeError,
)
from pointsman.runtime.pool_requests import PoolRequests

_SERVICE: Final = "scheduler"

_decoder: Final = msgspec.json.Decoder(PoolSample)
_log = structlog.get_logger(__name__)


class NatsNeighbours:
    """Implements `ports.Neighbours`; while it listens, `load` is what the pools last said."""

    def __init__(self, nc: Client, clock: Clock) -> None:
        self.load = GroupLoad()
        self._nc = nc
        self._clock = clock
        self._forwards: PoolRequests[ForwardTask] = PoolRequests(nc, _SERVICE, "forward")
        self._subscription: Subscription | None = None

    async def listen(self) -> None:
        """Hear the readings of all pools, this one's too."""
        self._subscription = await self._nc.subscribe(subjects.pool_sample("*"), cb=self._hear)

    async def forward(self, pool: str, command: ForwardTask) -> Answer | None:
        try:
            return await self._forwards.ask(pool, command)
        except (NoAnswerError, RequestRefusedError, RequestTooLargeError) as error:
            _log.info("task_not_forwarded", pool=pool, code=error.code, detail=str(error))
            return None

    async def stop(self) -> None:
        """Hear nothing more, and give up on what waits."""
        if self._subscription is not None and not self._nc.is_closed:
            await self._subscription.unsubscribe()
        await self._forwards.stop()

    async def _hear(self, message: Msg) -> None:
        try:
            sample = _decoder.decode(message.data)
        except msgspec.MsgspecError as error:
            _log.info("reading_not_understood", subject=message.subject, detail=str(error))
            return
        self.load.hear(sample, at=self._clock.monotonic())
