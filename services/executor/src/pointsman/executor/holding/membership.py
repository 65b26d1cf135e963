"""Belonging to a pool: the leader knows this executor, and hears which leases it holds."""

import asyncio
from collections.abc import Sequence

import structlog

from pointsman.contracts.leases import RENEW_EVERY_S, AttachExecutor, Renewal
from pointsman.executor.holding.devices import Device
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.ports import Identity, Leader

_log = structlog.get_logger(__name__)


class Membership:
    """One incarnation's place in its pool."""

    def __init__(
        self,
        identity: Identity,
        devices: Sequence[Device],
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
        self._devices = devices
        self._attach = self._attachment(f"{identity.incarnation}/attach")
        self._changed = 0

    async def join(self) -> None:
        """Return when the leader knows the devices; raises `AttachRefusedError`."""
        if self._attach != self._attachment(self._attach.command_id):
            # A repeated command id with another body would be refused.
            self._changed += 1
            command_id = f"{self._identity.incarnation}/attach/{self._changed}"
            self._attach = self._attachment(command_id)
        await self._leader.attach(self._attach)
        _log.info(
            "attached",
            pool=self._identity.pool,
            incarnation=self._identity.incarnation,
            devices=[offer.device for offer in self._attach.devices],
        )

    def _attachment(self, command_id: str) -> AttachExecutor:
        return AttachExecutor(
            command_id=command_id,
            executor=self._identity.executor,
            incarnation=self._identity.incarnation,
            devices=tuple(device.offer() for device in self._devices),
        )

    def reconnected(self) -> None:
        """The bus was away: the leader may be another one now."""
        self._reconnected.set()

    async def rejoin(self) -> None:
        """Attach again after every reconnection, for ever; as before, if nothing changed."""
        while True:
            await self._reconnected.wait()
            self._reconnected.clear()
            await self.join()

    async def renew(self) -> None:
        """Send all leases every 3 s, for ever, also when there are none: it says that we live."""
        while True:
            await self._leader.renew(
                Renewal(
                    pool=self._identity.pool,
                    executor=self._identity.executor,
                    incarnation=self._identity.incarnation,
                    leases=self._holder.leases(),
                    progress=self._holder.progress(),
                )
            )
            await asyncio.sleep(self._renew_every_s)
