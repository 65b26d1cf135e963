"""The feed, heard and decoded once for all services of a process."""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from pointsman.contracts import subjects
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.event_sources import EventSource, unpack
from pointsman.eventstore.pace import Pace
from pointsman.eventstore.ports import CommittedEvents

KEEP_EVENTS: Final = 16_384
"""About 20 MB under load; who is further behind asks for the log."""

_BATCH_EVENTS: Final = 4_096
_IDLE_POLL_S: Final = 5.0

_log = structlog.get_logger(__name__)


class FeedHub:
    """Listens to `pm.feed` and keeps its newest events for any number of sources.

    It needs no durable consumer: every follower commits its own position with its effects, what was
    not heard shows as a gap between positions, and gaps are read from `log`. `start` before use.
    """

    def __init__(self, nc: Client, log: CommittedEvents, *, keep: int = KEEP_EVENTS) -> None:
        self._nc = nc
        self._log = log
        self._keep = keep
        self._events: list[Recorded] = []
        self._heard = asyncio.Event()
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Listen; what is published after this returns is heard, or shows as a gap."""
        self._subscription = await self._nc.subscribe(subjects.FEED, cb=self._take)
        await self._nc.flush()

    async def stop(self) -> None:
        """Listen no more."""
        if self._subscription is not None and not self._nc.is_closed:
            await self._subscription.unsubscribe()

    def source(self, *, rounds_per_s: float) -> EventSource:
        """Events for one follower, in at most so many rounds a second."""
        return _HubSource(self, self._log, Pace(rounds_per_s, 1.0))

    def beyond(self, after: int, *, limit: int) -> Sequence[Recorded] | None:
        """Kept events beyond a position; None when some between are not kept."""
        kept = self._events
        if not kept or kept[-1].position <= after:
            return ()
        if after + 1 < kept[0].position:
            return None
        start = bisect_right(kept, after, key=_position)
        return kept[start : start + limit]

    async def wait_beyond(self, after: int, *, timeout_s: float) -> None:
        """Return as soon as something beyond a position was heard, or after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._events or self._events[-1].position <= after:
                    # The event is exchanged when it is set, so that every waiter sees it.
                    await self._heard.wait()
        except TimeoutError:
            return

    async def _take(self, message: Msg) -> None:
        pack = unpack(message)
        if pack is None:
            return
        last = self._events[-1].position if self._events else pack.first - 1
        if pack.last <= last:
            return
        if pack.first > last + 1:
            _log.info("feed_gap", after=last, before=pack.first)
            self._events = []
        self._events += (event for event in pack.events if event.position > last)
        if len(self._events) > 2 * self._keep:
            # A new list, because followers hold slices by position, not by index.
            self._events = self._events[-self._keep :]
        heard, self._heard = self._heard, asyncio.Event()
        heard.set()


class _HubSource:
    """Implements `EventSource`."""

    def __init__(self, hub: FeedHub, log: CommittedEvents, pace: Pace) -> None:
        self._hub = hub
        self._log = log
        self._pace = pace
        self._begun = False

    async def next(self, after: int) -> Sequence[Recorded]:
        await self._pace.wait()
        heard = self._hub.beyond(after, limit=_BATCH_EVENTS)
        if heard == () and self._begun:
            await self._hub.wait_beyond(after, timeout_s=_IDLE_POLL_S)
            heard = self._hub.beyond(after, limit=_BATCH_EVENTS)
        # Not begun, nothing heard for a while, or not everything: the log knows.
        self._begun = True
        return heard or await self._log.read(after, limit=_BATCH_EVENTS)

    async def head(self) -> int:
        return await self._log.head()

    async def incarnation(self) -> str:
        return (await self._log.identity()).incarnation


def _position(event: Recorded) -> int:
    return event.position
