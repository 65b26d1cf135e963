"""Following the feed as one service: its durable consumer, and the log behind it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from pointsman.contracts import subjects
from pointsman.eventstore.event_sources import EventSource, FeedSource
from pointsman.eventstore.feed_hub import FeedHub
from pointsman.eventstore.remote_log import RemoteLog
from pointsman.runtime.puller import Puller
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import provision_consumer

ROUNDS_PER_S: Final = 4.0
"""For who has no hurry: a round costs a transaction and changes of thread, whatever is in it."""

_ACK_WAIT_S: Final = 30.0
_MAX_ACK_PENDING: Final = 256
_RETRY_S: Final = 0.5
# Nothing arrives while nothing happens; the question to the log is for what the feed has dropped.
_IDLE_POLL_S: Final = 5.0

_log = structlog.get_logger(__name__)


async def follow_feed(
    scope: ServiceScope, nc: Client, service: str, *, rounds_per_s: float = ROUNDS_PER_S
) -> EventSource:
    """The feed as `service` reads it: through the hub of its process, if that has one.

    Alone it has a durable consumer, and waits for the stream, which the relay's process provisions;
    health says so. `rounds_per_s` bounds how often a stream of events is worked on.
    """
    hub = scope.shared.get(FeedHub)
    if isinstance(hub, FeedHub):
        return hub.source(rounds_per_s=rounds_per_s)

    async def provide() -> None:
        await provision_consumer(nc, subjects.FEED_STREAM, _consumer(service))

    await _until_there(scope, provide)
    puller = Puller(nc, subjects.FEED_STREAM, service)
    scope.on_stop(puller.stop, "feed puller")
    return FeedSource(
        puller,
        RemoteLog(nc, service),
        provision=provide,
        idle_poll_s=_IDLE_POLL_S,
        rounds_per_s=rounds_per_s,
    )


async def _until_there(scope: ServiceScope, provide: Callable[[], Awaitable[None]]) -> None:
    said = False
    while True:
        try:
            await provide()
        except (NotFoundError, NatsError) as error:
            if not said:
                said = True
                scope.health.set("feed", ok=False, detail=f"waiting for {subjects.FEED_STREAM}")
                _log.info("feed_awaited", service=scope.name, reason=repr(error))
            await asyncio.sleep(_RETRY_S)
        else:
            scope.health.set("feed", ok=True)
            return


def _consumer(service: str) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=service,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=_ACK_WAIT_S,
        max_deliver=-1,
        max_ack_pending=_MAX_ACK_PENDING,
    )
