"""Who still holds what was granted: renewals heard, absences noticed, grants sent again."""

import asyncio
from typing import Final, NoReturn
from uuid import UUID

import structlog

from pointsman.contracts.events.attempt_ends import LEASE_EXPIRED
from pointsman.contracts.leases import Renewal
from pointsman.contracts.streams import stream_id
from pointsman.eventstore.ports import LogUnavailableError
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.attachment import decide_absent, decide_return
from pointsman.scheduler.domain.attempts.ends import decide_lost
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.ends import decide_residency_lost
from pointsman.scheduler.leading.dispatch import Dispatch
from pointsman.scheduler.leading.settling import Settling

LOOK_EVERY_S: Final = 1.0

_log = structlog.get_logger(__name__)


class LeaseWatch:
    """Keeps the leases of a pool and their holders in step."""

    def __init__(
        self,
        pool: Pool,
        settling: Settling,
        dispatch: Dispatch,
        clocks: LeaseClocks,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._settling = settling
        self._dispatch = dispatch
        self._clocks = clocks
        self._clock = clock
        self._silent: set[str] = set()

    async def run(self) -> NoReturn:
        """Look for absent executors for ever; raises `FencedError`."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """End the leases of executors that were absent at the last look and still are.

        Silence may be ours: a half-open link, or this process was stopped for a while. So only who
        is absent after the bus has answered is gone.
        """
        for executor in self._absent() & self._silent:
            await self._lose(executor)
        self._silent = self._absent()
        if self._silent and not await self._dispatch.bus_answers():
            self._silent = set()
            self._clocks.deaf_until(self._clock.monotonic())

    async def renewed(self, renewal: Renewal) -> None:
        """Note who lives; bring the holder in step with the log.

        A lease that should have arrived but is not listed is granted again, and lost after a
        lease's life: its holder refuses it. One that has ended in the log is cancelled.
        """
        self._clocks.renewed(renewal, now=self._clock.monotonic())
        if not self._settling.lead.certain:
            return
        await self._welcome_back(renewal)
        for task_id, attempt, age_s in self._not_listed(renewal):
            if self._clocks.unlisted_too_long(age_s, now=self._clock.monotonic()):
                await self._lose_lease(task_id, attempt)
            elif self._clocks.resend_due(age_s):
                self._dispatch.grant(task_id, attempt)
        await self._changes_not_listed(renewal)
        changing = {stream_id("device", name) for name in self._pool.devices}
        for held in renewal.leases:
            task = self._pool.tasks.get(held.task)
            if task is None and held.task in changing:
                # A change that has begun is not stopped; its report says what it left.
                continue
            if task is None or task.lease_of(held.attempt) is None:
                self._dispatch.cancel(renewal.executor, renewal.incarnation, held)

    def _absent(self) -> set[str]:
        return set(self._clocks.absent(self._pool.executors(), now=self._clock.monotonic()))

    async def _welcome_back(self, renewal: Renewal) -> None:
        if any(
            device.status is DeviceStatus.DETACHED
            and device.offer.incarnation == renewal.incarnation
            for device in self._pool.devices.values()
        ):
            async with self._settling.devices:
                await self._settling.settle(
                    lambda: decide_return(
                        self._pool, renewal.executor, renewal.incarnation, at=self._clock.wall()
                    )
                )

    def _not_listed(self, renewal: Renewal) -> list[tuple[UUID, int, float]]:
        now = self._clock.wall()
        holder = (renewal.executor, renewal.incarnation)
        return [
            (task.id, lease.attempt, now - lease.granted_at)
            for task, lease in self._pool.leases()
            if (lease.executor, lease.incarnation) == holder
            and not self._clocks.holds(renewal.executor, task.id, lease.attempt)
        ]

    async def _changes_not_listed(self, renewal: Renewal) -> None:
        """Changes of residency as well are granted again, or lost after a lease's life."""
        for name, device in tuple(self._pool.devices.items()):
            change = device.changing
            if change is None or change.incarnation != renewal.incarnation:
                continue
            if self._clocks.holds(renewal.executor, stream_id("device", name), change.generation):
                continue
            age_s = self._clock.wall() - change.at
            if self._clocks.unlisted_too_long(age_s, now=self._clock.monotonic()):
                await self._lose_change(name)
            elif self._clocks.resend_due(age_s):
                self._dispatch.change(name)

    async def _lose_change(self, name: str) -> None:
        async with self._settling.devices:
            await self._settling.settle_one(
                lambda: decide_residency_lost(
                    self._pool, name, LEASE_EXPIRED, at=self._clock.wall()
                )
            )

    async def _lose_lease(self, task_id: UUID, attempt: int) -> None:
        await self._settling.settle_one(
            lambda: decide_lost(
                self._pool, task_id, LEASE_EXPIRED, at=self._clock.wall(), attempts=(attempt,)
            )
        )

    async def _lose(self, executor: str) -> None:
        _log.warning("executor_absent", executor=executor)
        try:
            async with self._settling.devices:
                await self._settling.settle(
                    lambda: decide_absent(self._pool, executor, at=self._clock.wall())
                )
        except LogUnavailableError as error:
            _log.warning("absence_not_recorded", code=error.code, detail=str(error))
