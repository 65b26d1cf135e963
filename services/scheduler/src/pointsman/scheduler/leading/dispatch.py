"""Sending orders to executors until they are received.

Orders for one executor that become ready in the same turn of the loop travel as one message.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from typing import Final
from uuid import UUID

from pointsman.contracts.leases import Grant, Lease, LeaseOrder, LeaseReceipt, ResidencyGrant
from pointsman.runtime.clock import Clock
from pointsman.runtime.crashpoints import CrashPoint, crashpoint
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.parts.work import merge_work, split_work
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import LiveLease
from pointsman.scheduler.leading.lead import Lead
from pointsman.scheduler.ports import Orders

_DOUBT_S: Final = 0.5

Holder = tuple[str, str]
"""Executor and incarnation: what one was granted, the next one of that name must not take."""


class Dispatch:
    """Grants and cancellations on their way to executors, while the lead is certain."""

    def __init__(
        self, pool: Pool, orders: Orders, lead: Lead, clocks: LeaseClocks, clock: Clock
    ) -> None:
        self._pool = pool
        self._orders = orders
        self._lead = lead
        self._clocks = clocks
        self._clock = clock
        self._grants: defaultdict[Holder, list[Grant]] = defaultdict(list)
        self._cancels: defaultdict[Holder, list[Lease]] = defaultdict(list)
        self._changes: defaultdict[Holder, list[ResidencyGrant]] = defaultdict(list)
        self._flush_due = False
        self._sending: set[asyncio.Task[object]] = set()

    def grant(self, task_id: UUID, attempt: int) -> None:
        """Send the lease of an attempt to its holder, while it is live."""
        task = self._pool.tasks.get(task_id)
        lease = None if task is None else task.lease_of(attempt)
        if task is None or lease is None:
            return
        accepted = task.accepted
        grant = Grant(
            task=task_id,
            attempt=lease.attempt,
            tenant=accepted.tenant,
            device=lease.device,
            variant=lease.variant,
            payload=task.payload,
            media_type=self._pool.models[lease.variant].media_type if lease.variant else "",
            run_timeout_s=lease.run_timeout_s,
            parameters=accepted.parameters,
            traceparent=accepted.traceparent,
            keep_result=accepted.conversation is not None,
            batch=lease.batch.id if lease.batch is not None else "",
            checkpoint=lease.checkpoint.checkpoint if lease.checkpoint is not None else None,
            split=split_work(task),
            merge=merge_work(task),
        )
        self._grants[lease.executor, lease.incarnation].append(grant)
        self._flush_soon()

    def change(self, name: str) -> None:
        """Send the change that a device is in to its holder."""
        device = self._pool.devices.get(name)
        if device is None or device.changing is None:
            return
        change = device.changing
        self._changes[change.executor, change.incarnation].append(
            ResidencyGrant(
                device=name,
                generation=change.generation,
                unload=change.unload,
                load=change.load,
                timeout_s=change.timeout_s,
                members=change.members,
            )
        )
        self._flush_soon()

    def cancel(self, executor: str, incarnation: str, lease: Lease) -> None:
        """Tell a holder to stop a run."""
        self._cancels[executor, incarnation].append(lease)
        self._flush_soon()

    def cancel_all(self, task_id: UUID, leases: Iterable[LiveLease], besides: int = 0) -> None:
        """Tell the holders of a task that has ended to stop what still runs of it."""
        for lease in leases:
            if lease.attempt != besides:
                held = Lease(task=task_id, attempt=lease.attempt)
                self.cancel(lease.executor, lease.incarnation, held)

    def introduce(self, executors: Iterable[str]) -> None:
        """Have executors refuse orders of earlier epochs from now on."""
        for executor in executors:
            self._start(self._orders.send(executor, self._order("")))

    async def bus_answers(self) -> bool:
        """Whether the bus carries messages now."""
        return await self._orders.bus_answers()

    async def drain(self) -> None:
        """Stop sending."""
        for sending in self._sending:
            sending.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        for holder in dict.fromkeys((*self._grants, *self._cancels, *self._changes)):
            executor, incarnation = holder
            order = self._order(
                incarnation,
                self._grants.pop(holder, ()),
                self._cancels.pop(holder, ()),
                self._changes.pop(holder, ()),
            )
            self._start(self._send(executor, order))

    def _order(
        self,
        incarnation: str,
        grants: Iterable[Grant] = (),
        cancels: Iterable[Lease] = (),
        changes: Iterable[ResidencyGrant] = (),
    ) -> LeaseOrder:
        led = self._lead.leadership
        return LeaseOrder(
            pool=led.pool,
            epoch=led.epoch,
            grants=tuple(grants),
            cancels=tuple(cancels),
            residency=tuple(changes),
            incarnation=incarnation,
        )

    def _start(self, work: Coroutine[object, object, object]) -> None:
        sending = asyncio.get_running_loop().create_task(work)
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _send(self, executor: str, order: LeaseOrder) -> None:
        # One message, sent until a receipt comes or nothing in it matters any more. What a receipt
        # does not name was refused; the lease then runs out or is sent again after a renewal.
        while order.grants or order.cancels or order.residency:
            crashpoint(CrashPoint.BEFORE_GRANT_SENT)
            receipt = await self._send_once(executor, order)
            if receipt is not None:
                crashpoint(CrashPoint.AFTER_GRANT_SENT)
                self._clocks.heard(receipt.executor, now=self._clock.monotonic())
                return
            order = self._order(
                order.incarnation,
                (grant for grant in order.grants if self._is_live(executor, grant)),
                (cancel for cancel in order.cancels if self._is_suspect(cancel)),
                (change for change in order.residency if self._is_changing(change)),
            )

    async def _send_once(self, executor: str, order: LeaseOrder) -> LeaseReceipt | None:
        if not self._lead.certain:
            # Another may have ended these leases already.
            await asyncio.sleep(_DOUBT_S)
            return None
        receipt = await self._orders.send(executor, order)
        if receipt is not None and receipt.stale_epoch:
            self._lead.doubt()
            return None
        return receipt

    def _is_live(self, executor: str, grant: Grant) -> bool:
        task = self._pool.tasks.get(grant.task)
        lease = task.lease_of(grant.attempt) if task is not None else None
        return lease is not None and lease.executor == executor

    def _is_changing(self, change: ResidencyGrant) -> bool:
        device = self._pool.devices.get(change.device)
        live = device.changing if device is not None else None
        return live is not None and live.generation == change.generation

    def _is_suspect(self, cancel: Lease) -> bool:
        key = (cancel.task, cancel.attempt)
        return any(key in device.suspect for device in self._pool.devices.values())
