"""Orders of the leader in, receipts out; canaries in, their bytes out."""

import asyncio

from faststream.nats import NatsRouter

from pointsman.contracts import subjects
from pointsman.contracts.canaries import CanaryAnswer, RunCanary
from pointsman.contracts.leases import LeaseOrder, LeaseReceipt
from pointsman.executor.holding.canaries import Canaries
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.ports import Identity
from pointsman.runtime.broker import body_decoder
from pointsman.runtime.crashpoints import CrashPoint, crashpoint


def build_router(identity: Identity, holder: LeaseHolder, canaries: Canaries) -> NatsRouter:
    """Subscribe to the orders of one executor; a receipt never waits for a run."""
    router = NatsRouter()

    @router.subscriber(
        subjects.lease(identity.pool, identity.executor), decoder=body_decoder(LeaseOrder)
    )
    async def take(order: LeaseOrder) -> LeaseReceipt:
        crashpoint(CrashPoint.BEFORE_RECEIPT)
        receipt = holder.take(order)
        crashpoint(CrashPoint.AFTER_RECEIPT)
        return receipt

    @router.subscriber(
        subjects.command("executor", "canary", identity.executor),
        decoder=body_decoder(list[RunCanary]),
    )
    async def canary(asked: list[RunCanary]) -> list[CanaryAnswer]:
        return await asyncio.gather(*(canaries.run(one) for one in asked))

    return router
