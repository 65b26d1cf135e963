"""How large the context pool is: from its setting, changed by what the log says of behaviour."""

from collections.abc import Sequence

import structlog

from pointsman.context.domain.context_pool import ContextPool
from pointsman.context.ports import Growth
from pointsman.contracts.events import ContextPoolResized, Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import EventStore
from pointsman.runtime.clock import Clock

TOPICS = ("context.pool_resized.v1",)

_log = structlog.get_logger(__name__)


class Capacity:
    """The fold of `context.pool_resized`, and the decision to append another."""

    def __init__(
        self,
        store: EventStore,
        codec: EventCodec,
        pool: ContextPool,
        clock: Clock,
        *,
        name: str,
        start_bytes: int,
    ) -> None:
        self.own = OwnEvents(store, codec, TOPICS, self._evolve)
        self.name = name
        self.last_cause = 0
        """Position of the last wish that was followed."""
        self._pool = pool
        self._clock = clock
        self._start_bytes = start_bytes
        self._stream = stream_id("context_pool", name)

    async def follow(self, growths: Sequence[Growth]) -> None:
        """Take wishes in log order, each once; raises `LogUnavailableError`."""
        for growth in growths:
            if growth.position <= self.last_cause:
                continue
            capacity = round(self._start_bytes * growth.factor)
            event = ContextPoolResized(
                at=self._clock.wall(),
                applied_to=growth.position,
                before_bytes=self._pool.capacity,
                capacity_bytes=capacity,
                reason=f"behaviour asks for {growth.factor:g} times the start",
                cause=growth.position,
            )
            # The stream's version, that of the fold, is what makes it happen once.
            await self.own.record(self.own.decided(self._stream, event))

    def _evolve(self, recorded: Recorded, event: Decision) -> None:
        if isinstance(event, ContextPoolResized) and recorded.stream == self._stream:
            self.last_cause = max(self.last_cause, event.cause)
            self._pool.resize(event.capacity_bytes)
            _log.info("context_pool_resized", capacity_bytes=event.capacity_bytes)
