"""Publishing the log on the bus: in order, without gaps, without duplicates, whoever dies."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final, NoReturn, Protocol
from uuid import uuid4

import structlog
from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError

from pointsman.eventstore.cancellation import raise_if_cancelled
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.pace import Pace
from pointsman.eventstore.pipeline import (
    ConnectionInterruptedError,
    Marks,
    Pipeline,
    PublishRefusedError,
    SupersededError,
)
from pointsman.eventstore.ports import FeedFloor, LogReader, LogUnavailableError
from pointsman.eventstore.publications import Publication
from pointsman.eventstore.stream_tip import (
    SlowestConsumer,
    StreamMissingError,
    StreamOfAnotherLogError,
    StreamTip,
    read_tip,
    resume_position,
)

POLL_S: Final = 0.25
"""Fallback when nothing wakes the relay; also how often a watcher looks."""
TAKEOVER_S: Final = 2.0
"""A watcher publishes itself once the log goes on and the stream has stood still for so long."""
FLOOR_EVERY_S: Final = 1.0

# Rows per read: four full packs.
_READ_EVENTS: Final = 1024
# A message costs as much as encoding forty events, so under load they wait a little and travel
# together. A task that comes alone never waits: its three rounds are within the burst.
_ROUNDS_PER_S: Final = 500.0
_BURST_ROUNDS: Final = 64.0
_FIRST_RETRY_S: Final = 0.1
_LAST_RETRY_S: Final = 2.0

_TRANSIENT: Final = (
    ConnectionInterruptedError,
    LogUnavailableError,
    LogUnreadableError,
    NatsError,
    OSError,
    PublishRefusedError,
    StreamOfAnotherLogError,
    TimeoutError,
)

Provision = Callable[[], Awaitable[object]]

_log = structlog.get_logger(__name__)


class RelayState(StrEnum):
    """What a relay does now."""

    WAITING = "waiting"
    """For the server, the stream or the log; `Relay.detail` says what for."""
    PUBLISHING = "publishing"
    WATCHING = "watching"
    """Another relay publishes."""


async def no_consumers() -> int:
    """Where a new stream starts when nobody has registered: at the beginning of the log."""
    return 0


class RelayedLog(LogReader, Protocol):
    """What a relay needs of the log; `ports.EventStore` has it."""

    async def set_floor(self, floor: FeedFloor) -> None:
        """Remember how far a stream has been filled."""
        ...


class Relay:
    """Publishes a log as one stream; `run` until it is cancelled.

    Any number of relays may run for one stream. Each message is published with compare-and-set on
    the stream's sequence, so at most one of them gets anywhere; the others watch and take over when
    that one makes no progress. What is published already is read from the stream itself.

    `log` is read instead of `store` when given (see `LogTail`). `provision` creates the stream
    when it is missing. `slowest` gives the position of the slowest registered consumer.
    """

    def __init__(
        self,
        store: RelayedLog,
        nc: Client,
        publication: Publication,
        *,
        provision: Provision,
        slowest: SlowestConsumer = no_consumers,
        log: LogReader | None = None,
        takeover_s: float = TAKEOVER_S,
    ) -> None:
        self.id = uuid4().hex[:12]
        self.stream = publication.stream
        self.state = RelayState.WAITING
        self.detail = "not started"
        self._store = store
        self._log: LogReader = log or store
        self._nc = nc
        self._publication = publication
        self._provision = provision
        self._slowest = slowest
        self._takeover_s = takeover_s
        self._position = 0
        self._read = 0
        self._pipeline: Pipeline | None = None
        self._superseded = False
        self._retry_s = _FIRST_RETRY_S
        self._floor: FeedFloor | None = None
        self._floor_at = 0.0

    @property
    def position(self) -> int:
        """Last log position that the stream is known to stand for."""
        pipeline = self._pipeline
        if pipeline is not None:
            self._position = self._read if pipeline.idle else pipeline.position
        return self._position

    async def run(self) -> NoReturn:
        """Publish for ever. Raises `ConnectionClosedError` when the connection was given up."""
        while True:
            try:
                await self._publish()
            except SupersededError as error:
                self._say(RelayState.WAITING, error)
                self._superseded = True
            except StreamMissingError as error:
                self._say(RelayState.WAITING, error)
                await self._repair()
            except ConnectionClosedError:
                raise
            except _TRANSIENT as error:
                self._say(RelayState.WAITING, error)
            await self._back_off()

    async def _publish(self) -> NoReturn:
        tip = await self._take_lead()
        position = await self._resume(tip)
        # The server remembers ids of purged messages for a while and would drop their return.
        renamed_to = await self._log.head() if tip.truncated else 0
        marks = Marks(relay=self.id, log=(await self._log.identity()).incarnation)
        pipeline = Pipeline(
            self._nc, self.stream, tip, position=position, marks=marks, renamed_to=renamed_to
        )
        self._position = self._read = position
        async with pipeline:
            self._pipeline = pipeline
            self._say(RelayState.PUBLISHING)
            try:
                await self._follow(pipeline, tip.incarnation)
            finally:
                self._position, self._pipeline = self.position, None

    async def _follow(self, pipeline: Pipeline, incarnation: str) -> NoReturn:
        covered = self._read
        proven, pace = False, Pace(_ROUNDS_PER_S, _BURST_ROUNDS)
        while True:
            events = await self._log.read(self._read, limit=_READ_EVENTS)
            messages = list(self._publication.messages(events, after=covered))
            for message in messages:
                await pipeline.send(message, ask=not proven or message is messages[-1])
                covered = message.last
                if not proven:
                    # Alone, as a pipeline demands; its answer also names the cause of a refusal.
                    await pipeline.settle()
                    proven, self._retry_s = True, _FIRST_RETRY_S
            if events:
                self._read = events[-1].position
            pipeline.check()
            raise_if_cancelled()
            await self._keep_floor(incarnation, pipeline.sequence)
            if len(events) < _READ_EVENTS:
                await pace.wait()
                await self._log.wait_beyond(self._read, timeout_s=POLL_S)

    async def _keep_floor(self, incarnation: str, sequence: int) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._floor_at < FLOOR_EVERY_S:
            return
        floor = FeedFloor(self.stream, incarnation, sequence, self.position)
        if floor != self._floor:
            await self._store.set_floor(floor)
            self._floor = floor
        self._floor_at = now

    async def _take_lead(self) -> StreamTip:
        while not self._nc.is_connected:
            if self._nc.is_closed:
                raise ConnectionClosedError
            await asyncio.sleep(_FIRST_RETRY_S)
        tip = await read_tip(self._nc, self.stream)
        raise_if_cancelled()
        if self._superseded and tip.relay != self.id:
            tip = await self._watch(tip)
        self._superseded = False
        return tip

    async def _watch(self, tip: StreamTip) -> StreamTip:
        """Return the stream's tip once the relay that publishes has stopped doing so."""
        self._say(RelayState.WATCHING)
        clock = asyncio.get_running_loop().time
        moved_at = clock()
        while clock() - moved_at < self._takeover_s:
            await asyncio.sleep(POLL_S)
            latest = await read_tip(self._nc, self.stream)
            raise_if_cancelled()
            self._position = await self._resume(latest)
            if latest.sequence != tip.sequence or not await self._owes(self._position):
                moved_at = clock()
            tip = latest
        return tip

    async def _owes(self, position: int) -> bool:
        """Tell whether the log holds something to publish beyond a position."""
        events = await self._log.read(position, limit=_READ_EVENTS)
        messages = self._publication.messages(events, after=position)
        return len(events) == _READ_EVENTS or next(messages, None) is not None

    async def _resume(self, tip: StreamTip) -> int:
        return await resume_position(tip, self.stream, store=self._store, slowest=self._slowest)

    async def _repair(self) -> None:
        try:
            await self._provision()
        except ConnectionClosedError:
            raise
        except (NatsError, OSError, TimeoutError) as error:
            self._say(RelayState.WAITING, error)

    async def _back_off(self) -> None:
        raise_if_cancelled()
        await asyncio.sleep(self._retry_s * random.uniform(0.5, 1.0))
        self._retry_s = min(2 * self._retry_s, _LAST_RETRY_S)

    def _say(self, state: RelayState, cause: Exception | None = None) -> None:
        detail = "" if cause is None else f"{type(cause).__name__}: {cause}"
        if (state, detail) == (self.state, self.detail):
            return
        self.state, self.detail = state, detail
        level = logging.INFO if cause is None else logging.WARNING
        _log.log(level, "relay", stream=self.stream, state=state, detail=detail, relay=self.id)
