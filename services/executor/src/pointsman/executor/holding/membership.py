"""Belonging to a pool: the leader knows this executor, and hears which leases it holds."""

import asyncio
from typing import Final

import structlog

from pointsman.contracts.leases import RENEW_EVERY_S, AttachExecutor, DeviceOffer, Renewal
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.ports import Identity, Leader

_log = structlog.get_logger(__name__)


class Membership:
    """One incarnation's place in its pool."""

    def __init__(
        self,
        identity: Identity,
        offers: tuple[DeviceOffer, ...],
        *,
        leader: Leader,
        holder: LeaseHolder,
        renew_every_s: float = RENEW_EVERY_S,
    ) -> None:
        self._identity = identity
        self._leader = leader
        self._holder = holder
        self._renew_every_s = renew_every_s
        self._reconnected = asyncio.Event()
        # Made once: a repeated command id with another body would be refused.
        self._attach: Final = AttachExecutor(
            command_id=f"{identity.incarnation}/attach",
            executor=identity.executor,
            incarnation=identity.incarnation,
            devices=offers,
        )

    async def join(self) -> None:
        """Return when the leader knows the devices; raises `AttachRefusedError`."""
        await self._leader.attach(self._attach)
        _log.info(
            "attached",
            pool=self._identity.pool,
            incarnation=self._identity.incarnation,
            devices=[offer.device for offer in self._attach.devices],
        )

    def reconnected(self) -> None:
        """The bus was away: the leader may be another one now."""
        self._reconnected.set()

    async def rejoin(self) -> None:
        """Attach again after every reconnection, for ever; the same command, so it happens once."""
        while True:
            await self._reconnected.wait()
            self._reconnected.clear()
            await self.join()

    async def renew(self) -> None:
        """Send all leases every 3 s, for ever, also when there are none: it is the heartbeat."""
        while True:
            await self._leader.renew(
                Renewal(
                    pool=self._identity.pool,
                    executor=self._identity.executor,
                    incarnation=self._identity.incarnation,
                    leases=self._holder.leases(),
                )
            )
            await asyncio.sleep(self._renew_every_s)
