"""The lead of a pool: renewed while it is held, doubted while that fails, over when it is taken."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from pointsman.eventstore.ports import EventStore, Leadership, LogUnavailableError
from pointsman.runtime.clock import Clock
from pointsman.runtime.errors import NotLeaderError
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks

LEAD_TTL_S: Final = 4.0
"""How long a lead lasts in the time of the log's database; a standby waits for so long."""
RENEW_EVERY_S: Final = 1.0
"""Three renewals fit into the life of a lead, so two may fail."""
GIVE_WAY_S: Final = 1.0
"""How long a leader in doubt keeps its answers back; less than askers wait for one."""

_LOG: Final = "log"

_log = structlog.get_logger(__name__)

OnState = Callable[[bool, str], None]
"""Whether the lead is certain, and what there is to say about it."""


class FencedError(NotLeaderError):
    """Another scheduler leads the pool; this one must stop deciding. Nobody has to act."""

    code = "fenced"

    def __init__(self, pool: str, *, mine: int, actual: int) -> None:
        super().__init__(
            f"epoch {mine} of pool {pool} is over, epoch {actual} leads: this scheduler stops "
            "deciding and stands by when it is started again"
        )
        self.pool = pool
        self.mine = mine
        self.actual = actual


class Lead:
    """One epoch of leading; `renew` it or have `keep` do so. Used from one event loop.

    Only the log's fence is proof: what is known here spares executors orders that nobody stands
    behind, and keeps lease clocks still while the log is away.
    """

    def __init__(
        self,
        store: EventStore,
        leadership: Leadership,
        clocks: LeaseClocks,
        clock: Clock,
        *,
        on_state: OnState = lambda _certain, _detail: None,
        give_way_s: float = GIVE_WAY_S,
    ) -> None:
        self.leadership: Final = leadership
        self._store = store
        self._clocks = clocks
        self._clock = clock
        self._on_state = on_state
        self._renewed_at = clock.monotonic()
        self._said = True
        self._over: FencedError | None = None
        self._look = asyncio.Event()
        self._renewed = asyncio.Event()
        self._give_way_s = give_way_s

    @property
    def name(self) -> str:
        """What is led, in words."""
        return f"leads pool {self.leadership.pool}, epoch {self.leadership.epoch}"

    @property
    def certain(self) -> bool:
        """Whether nobody else can lead yet, as far as this process can tell."""
        return self._over is None and self._clock.monotonic() - self._renewed_at <= LEAD_TTL_S

    def fenced(self, actual: int) -> FencedError:
        """The log has refused an append of this epoch: `keep` ends with what is returned."""
        if self._over is None:
            led = self.leadership
            self._over = FencedError(led.pool, mine=led.epoch, actual=actual)
            _log.warning("fenced", code=self._over.code, detail=str(self._over))
        self._look.set()
        return self._over

    def doubt(self) -> None:
        """Somebody has heard of a later epoch: look now, not at the next renewal."""
        self._look.set()

    def require(self) -> None:
        """Raise `FencedError` or `LogUnavailableError` unless the lead is certain.

        What follows from memory alone is no answer otherwise: the log may know better.
        """
        self._raise_if_over()
        if not self.certain:
            raise LogUnavailableError("the lead could not be renewed for a while")

    async def give_way(self) -> None:
        """Return at once while the lead is certain, otherwise when it is again or time is up.

        Requests reach every scheduler that believes to lead, and their first answer counts: who
        leads without doubt comes first.
        """
        if self.certain:
            return
        self._renewed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._give_way_s):
                await self._renewed.wait()

    def log_answered(self) -> None:
        """An append or a renewal came through: lease clocks go on, with a full life for all."""
        self._clocks.resume(_LOG, now=self._clock.monotonic())

    def log_silent(self) -> None:
        """An append or a renewal did not: reports cannot be recorded, so no lease may end."""
        self._clocks.pause(_LOG)

    async def renew(self) -> None:
        """Prolong the lead once; raises `FencedError`."""
        self._raise_if_over()
        asked_at = self._clock.monotonic()
        led = self.leadership
        try:
            mine = await self._store.renew(led, ttl_s=LEAD_TTL_S)
            actual = None if mine else await self._store.leader(led.pool)
        except LogUnavailableError as error:
            self.log_silent()
            self._say(error)
            return
        if not mine:
            raise self.fenced(led.epoch if actual is None else actual.epoch)
        self._raise_if_over()
        self._renewed_at = asked_at
        self._renewed.set()
        self.log_answered()
        self._say(None)

    async def keep(self) -> NoReturn:
        """Renew for ever; raises `FencedError` when another leads."""
        while True:
            self._look.clear()
            await self.renew()
            try:
                async with asyncio.timeout(RENEW_EVERY_S):
                    await self._look.wait()
            except TimeoutError:
                continue

    async def resign(self) -> None:
        """Let a standby take over at once; it waits for the end of the lead if this fails."""
        if self._over is not None:
            return
        try:
            await self._store.resign(self.leadership)
        except LogUnavailableError as error:
            _log.info("not_resigned", code=error.code, detail=str(error))

    def _raise_if_over(self) -> None:
        if self._over is not None:
            raise self._over

    def _say(self, error: LogUnavailableError | None) -> None:
        certain = self.certain
        if certain == self._said:
            return
        self._said = certain
        led = self.leadership
        if certain:
            _log.info("lead_renewed", pool=led.pool, epoch=led.epoch)
            self._on_state(True, self.name)  # noqa: FBT003 - a state
        else:
            _log.warning("lead_in_doubt", pool=led.pool, epoch=led.epoch, detail=str(error))
            self._on_state(False, f"nothing is granted: {error}")  # noqa: FBT003 - a state
