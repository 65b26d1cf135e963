"""A log in memory whose leads run out, as in a database that several processes share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import isawaitable

from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Held,
    Leader,
    Leadership,
    LogUnavailableError,
)
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_event_store import MemoryEventStore


class SharedStore(MemoryEventStore):
    """A lead that has not run out keeps others from leading; `clock` is the database's."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.unreachable = False
        """Whether nothing of it answers."""
        self.renewals = 0
        self._until: dict[str, float] = {}

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        self._reach()
        wanted = append.take_over
        if wanted is None:
            return await super().append(append, timeout_s=timeout_s)
        leader = await self.leader(wanted.pool)
        if leader is not None and leader.expires_in_s > 0 and leader.holder != wanted.holder:
            return Held(leader.holder, leader.expires_in_s)
        before = self._until.get(wanted.pool, 0.0)
        self._until[wanted.pool] = self.clock.ticks + wanted.ttl_s
        answer = await super().append(append, timeout_s=timeout_s)
        taken = await super().leader(wanted.pool)
        if taken is None or taken.holder != wanted.holder:
            self._until[wanted.pool] = before
        return answer

    async def leader(self, pool: str) -> Leader | None:
        self._reach()
        row = await super().leader(pool)
        if row is None:
            return None
        return Leader(pool, row.epoch, row.holder, self._until[pool] - self.clock.ticks)

    async def renew(self, leadership: Leadership, *, ttl_s: float) -> bool:
        self._reach()
        self.renewals += 1
        mine = await super().renew(leadership, ttl_s=ttl_s)
        if mine:
            self._until[leadership.pool] = self.clock.ticks + ttl_s
        return mine

    async def resign(self, leadership: Leadership) -> None:
        self._reach()
        row = await super().leader(leadership.pool)
        if row is not None and row.epoch == leadership.epoch:
            self._until[leadership.pool] = self.clock.ticks

    def _reach(self) -> None:
        if self.unreachable:
            raise LogUnavailableError("cut off")


@dataclass(slots=True)
class Waiting:
    """Lets a clock pass instead of waiting; `meanwhile` happens first, at each wait."""

    clock: FakeClock
    meanwhile: Callable[[], object] = lambda: None
    waits: list[float] = field(default_factory=list[float])

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        meanwhile = self.meanwhile()
        if isawaitable(meanwhile):
            await meanwhile
        self.clock.passes(seconds)
