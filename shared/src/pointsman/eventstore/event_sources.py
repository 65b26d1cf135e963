"""Where a projection gets its events: the log itself, or the feed with the log behind it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import structlog
from nats.errors import Error as NatsError

from pointsman.contracts.recorded import Recorded, decode_pack
from pointsman.eventstore.pace import Pace
from pointsman.eventstore.ports import CommittedEvents, LogReader
from pointsman.eventstore.stream_tip import LOG_HEADER, POSITION_HEADER
from pointsman.runtime.errors import FatalError
from pointsman.runtime.puller import ConsumerGoneError

# A round costs two commits' worth of thread changes, so under load they are bounded; somebody who
# waits for his own write waits 40 ms more at most.
_ROUNDS_PER_S: Final = 25.0
_BURST_ROUNDS: Final = 32.0
_BATCH_EVENTS: Final = 1024
_FEED_BATCH_EVENTS: Final = 4096
_POLL_S: Final = 0.25
_RETRY_S: Final = 0.5

_log = structlog.get_logger(__name__)


class EventSource(Protocol):
    """Committed events in log order."""

    async def next(self, after: int) -> Sequence[Recorded]:
        """Wait for events beyond `after`, without gaps; none after a while without any.

        Asking for events beyond a position says that everything up to it is committed.
        """
        ...

    async def head(self) -> int:
        """Last position of the log."""
        ...

    async def incarnation(self) -> str:
        """Which life of the log the events are of."""
        ...


class LogSource:
    """Reads the log."""

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self._pace = Pace(_ROUNDS_PER_S, _BURST_ROUNDS)

    async def next(self, after: int) -> Sequence[Recorded]:
        await self._pace.wait()
        await self._log.wait_beyond(after, timeout_s=_POLL_S)
        return await self._log.read(after, limit=_BATCH_EVENTS)

    async def head(self) -> int:
        return await self._log.head()

    async def incarnation(self) -> str:
        return (await self._log.identity()).incarnation


class LogRestoredError(FatalError):
    """The log was restored while its events were followed."""

    code = "log_restored"

    def __init__(self, before: str, now: str) -> None:
        super().__init__(
            f"the log was restored: it is incarnation {now} now and was {before}.",
            next_step="The service must be restarted, it then builds its views anew.",
        )


class FeedMessage(Protocol):
    """What a feed source needs of a nats-py message."""

    @property
    def subject(self) -> str: ...

    @property
    def data(self) -> bytes: ...

    @property
    def headers(self) -> dict[str, str] | None: ...

    async def ack(self) -> None: ...


class FeedPuller(Protocol):
    """What a feed source needs of `runtime.puller.Puller`."""

    async def next(self) -> Sequence[FeedMessage]:
        """All messages that have arrived, at least one. Raises `ConsumerGoneError`."""
        ...


@dataclass(frozen=True, slots=True)
class Pack:
    """Events of one message of the feed: positions `first..last`."""

    first: int
    last: int
    events: Sequence[Recorded]
    message: FeedMessage
    log: str = ""
    """Incarnation of the log that it was read from."""


class FeedSource:
    """Reads `pm.feed` through a durable consumer; a message is acknowledged once it is committed.

    What the feed does not hold (packs that were dropped, came out of order, cannot be read or were
    acknowledged for an earlier file of the view) is read from the log, and so is everything while
    nothing arrives for `idle_poll_s`. `provision` is called when the consumer has disappeared.
    The first event after a pause comes at once; of a stream of them, rounds come at `rounds_per_s`
    with whatever has arrived meanwhile.
    """

    def __init__(
        self,
        puller: FeedPuller,
        log: CommittedEvents,
        *,
        provision: Callable[[], Awaitable[object]],
        idle_poll_s: float = _POLL_S,
        rounds_per_s: float = _ROUNDS_PER_S,
    ) -> None:
        self._puller = puller
        self._log = log
        self._idle_poll_s = idle_poll_s
        self._pace = Pace(rounds_per_s, 1.0)
        self._provision = provision
        self._packs: deque[Pack] = deque()
        self._life = ""
        self._other_lives: set[str] = set()

    async def next(self, after: int) -> Sequence[Recorded]:
        while True:
            await self._acknowledge(after)
            if not self._packs and not await self._pull():
                return await self._log.read(after, limit=_BATCH_EVENTS)
            if not self._packs or self._packs[0].last <= after:
                continue
            first = self._packs[0].first
            if first > after + 1:
                missing = await self._log.read(after, limit=_BATCH_EVENTS)
                gap = [event for event in missing if event.position < first]
                if gap:
                    return gap
            return self._joined()

    async def head(self) -> int:
        return await self._log.head()

    async def incarnation(self) -> str:
        self._life = (await self._log.identity()).incarnation
        return self._life

    def _joined(self) -> Sequence[Recorded]:
        """The events of the packs that follow each other, so that they are committed at once."""
        events: list[Recorded] = []
        last = self._packs[0].first - 1
        for pack in self._packs:
            if pack.first > last + 1 or len(events) >= _FEED_BATCH_EVENTS:
                break
            events += (event for event in pack.events if event.position > last)
            last = max(last, pack.last)
        return events

    async def _acknowledge(self, after: int) -> None:
        while self._packs and self._packs[0].last <= after:
            # An acknowledgement that is lost brings the pack again, which is then skipped.
            await self._packs.popleft().message.ack()

    async def _pull(self) -> bool:
        """Tell whether something has arrived within a moment."""
        await self._pace.wait()
        try:
            async with asyncio.timeout(self._idle_poll_s):
                messages = await self._puller.next()
        except TimeoutError:
            return False
        except ConsumerGoneError as error:
            _log.warning("feed_consumer_gone", error=str(error))
            await self._restore()
            return False
        for message in messages:
            pack = unpack(message)
            if pack is None or await self._is_leftover(pack):
                await message.ack()
            else:
                self._packs.append(pack)
        return True

    async def _is_leftover(self, pack: Pack) -> bool:
        """Whether a pack is of a life of the log that was undone by a restore."""
        if pack.log in {"", self._life}:
            return False
        if pack.log not in self._other_lives:
            before, now = self._life, await self.incarnation()
            if before not in {"", now}:
                raise LogRestoredError(before, now)
            if pack.log == now:
                return False
            self._other_lives.add(pack.log)
            _log.warning("feed_leftovers_dropped", log=pack.log, first=pack.first)
        return True

    async def _restore(self) -> None:
        try:
            await self._provision()
        except NatsError as error:
            _log.warning("feed_consumer_not_restored", error=repr(error))
            await asyncio.sleep(_RETRY_S)


def unpack(message: FeedMessage) -> Pack | None:
    """None for what is no pack: its positions then come from the log, with the next pack."""
    first, _, last = (message.headers or {}).get(POSITION_HEADER, "").partition("-")
    try:
        log = (message.headers or {}).get(LOG_HEADER, "")
        return Pack(int(first), int(last), decode_pack(message.data), message, log)
    except (ValueError, msgspec.MsgspecError) as error:
        _log.error("feed_message_unreadable", subject=message.subject, error=str(error))
        return None
