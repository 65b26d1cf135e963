"""Becoming the leader of a pool: stand for election until it is won."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import LeaderElected
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import (
    AppendAnswer,
    Appended,
    EventStore,
    Held,
    Leadership,
    LogUnavailableError,
    TakeOver,
)
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.lead import LEAD_TTL_S

LOOK_EVERY_S: Final = 1.0
LOOK_NEAR_END_S: Final = 0.25
"""How often a standby looks once the lead ends before its next look."""

# The log has moved on between the look and the append; what it says now is there in a moment.
_AGAIN_S: Final = 0.05

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standby:
    """Another leads, or this scheduler cannot; when to look again."""

    reason: str
    look_again_in_s: float


class Candidate:
    """Stands for election as leader of a pool that is the fold of the log.

    `fit` says whether this scheduler could serve if it led: one that is cut off from the bus leaves
    the lead to another. `pause` is how it waits.
    """

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        codec: EventCodec,
        clock: Clock,
        *,
        holder: str,
        fit: Callable[[], bool] = lambda: True,
        on_standby: Callable[[str], None] = lambda _reason: None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._pool = pool
        self._store = store
        self._journal = Journal(store, codec)
        self._clock = clock
        self._holder = holder
        self._fit = fit
        self._on_standby = on_standby
        self._pause = pause

    async def elected(self) -> Leadership:
        """Stand by until this scheduler leads."""
        while True:
            try:
                outcome = await self.stand()
            except LogUnavailableError as error:
                outcome = Standby(f"the log does not answer: {error}", LOOK_EVERY_S)
            if isinstance(outcome, Leadership):
                return outcome
            self._on_standby(outcome.reason)
            await self._pause(outcome.look_again_in_s)

    async def stand(self) -> Leadership | Standby:
        """Look once, and take the lead if it is free; raises `LogUnavailableError`."""
        leader = await self._store.leader(self._pool.name)
        if leader is not None and leader.expires_in_s > 0 and leader.holder != self._holder:
            return self._stand_by(leader.holder, leader.expires_in_s)
        if not self._fit():
            return Standby("cut off from the bus", LOOK_EVERY_S)
        epoch = 1 if leader is None else leader.epoch + 1
        match await self._append_election(epoch):
            case Appended(positions=positions):
                _log.info("leading", pool=self._pool.name, epoch=epoch, position=positions[-1])
                return Leadership(self._pool.name, epoch)
            case Held(holder=holder, expires_in_s=expires_in_s):
                return self._stand_by(holder, expires_in_s)
            case _:
                self._store.wake()
                return Standby("another has just been elected", _AGAIN_S)

    async def _append_election(self, epoch: int) -> AppendAnswer:
        pool = self._pool
        stream = stream_id("pool", pool.name)
        elected = LeaderElected(
            at=self._clock.wall(),
            applied_to=pool.applied_to,
            pool=pool.name,
            epoch=epoch,
            holder=self._holder,
        )
        return await self._journal.elect(
            Decided(stream, pool.version_of(stream), (elected,)),
            TakeOver(pool.name, self._holder, epoch, LEAD_TTL_S),
        )

    def _stand_by(self, holder: str, expires_in_s: float) -> Standby:
        near = expires_in_s <= LOOK_EVERY_S
        wait_s = min(LOOK_NEAR_END_S, max(_AGAIN_S, expires_in_s)) if near else LOOK_EVERY_S
        return Standby(f"{holder} leads", wait_s)
