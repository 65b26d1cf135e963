"""Sending orders to executors until they are received.

Orders for one executor that become ready in the same turn of the loop travel as one message.
"""

import asyncio
from collections import defaultdict
from uuid import UUID

from pointsman.contracts.leases import Grant, Lease, LeaseOrder
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.ports import Orders


class Dispatch:
    """Grants and cancellations on their way to executors."""

    def __init__(self, pool: Pool, orders: Orders, clocks: LeaseClocks, clock: Clock) -> None:
        self._pool = pool
        self._orders = orders
        self._clocks = clocks
        self._clock = clock
        self._grants: defaultdict[str, list[Grant]] = defaultdict(list)
        self._cancels: defaultdict[str, list[Lease]] = defaultdict(list)
        self._flush_due = False
        self._sending: set[asyncio.Task[None]] = set()

    def grant(self, task_id: UUID) -> None:
        """Send the live lease of a task to its holder."""
        task = self._pool.tasks.get(task_id)
        if task is None or task.lease is None:
            return
        lease, accepted = task.lease, task.accepted
        grant = Grant(
            task=task_id,
            attempt=lease.attempt,
            tenant=accepted.tenant,
            device=lease.device,
            variant=lease.variant,
            payload=task.payload,
            media_type=self._pool.models[lease.variant].media_type,
            run_timeout_s=lease.run_timeout_s,
            parameters=accepted.parameters,
            traceparent=accepted.traceparent,
        )
        self._grants[lease.executor].append(grant)
        self._flush_soon()

    def cancel(self, executor: str, lease: Lease) -> None:
        """Tell a holder to stop a run."""
        self._cancels[executor].append(lease)
        self._flush_soon()

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
        executors = [*self._grants, *(e for e in self._cancels if e not in self._grants)]
        for executor in executors:
            order = LeaseOrder(
                pool=self._pool.name,
                epoch=self._pool.epoch,
                grants=tuple(self._grants.pop(executor, ())),
                cancels=tuple(self._cancels.pop(executor, ())),
            )
            sending = asyncio.get_running_loop().create_task(self._send(executor, order))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _send(self, executor: str, order: LeaseOrder) -> None:
        # One message, sent until a receipt comes or nothing in it matters any more. What a receipt
        # does not name was refused; the lease then runs out or is sent again after a renewal.
        while order.grants or order.cancels:
            receipt = await self._orders.send(executor, order)
            if receipt is not None:
                self._clocks.heard(receipt.executor, now=self._clock.monotonic())
                return
            order = LeaseOrder(
                pool=order.pool,
                epoch=order.epoch,
                grants=tuple(grant for grant in order.grants if self._is_live(executor, grant)),
                cancels=tuple(cancel for cancel in order.cancels if self._is_suspect(cancel)),
            )

    def _is_live(self, executor: str, grant: Grant) -> bool:
        task = self._pool.tasks.get(grant.task)
        lease = task.lease if task is not None else None
        return lease is not None and (lease.executor, lease.attempt) == (executor, grant.attempt)

    def _is_suspect(self, cancel: Lease) -> bool:
        key = (cancel.task, cancel.attempt)
        return any(key in device.suspect for device in self._pool.devices.values())
