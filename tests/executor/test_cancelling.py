"""Cancellations: early, late, and while a call runs."""

import asyncio

from pointsman.contracts.leases import RunCancelled, RunCompleted
from pointsman.contracts.message import BlobRef
from pointsman.runtime.blob_rows import BlobKind
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    FakeEngine,
    MemoryLeader,
    grant,
    holder,
    lease,
    order,
    receipt,
    reported,
    stored,
    task_id,
)


async def test_a_cancelled_attempt_is_stopped_in_the_engine_and_reported() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine(hold=True)
    executor = holder(engine, leader, blobs)
    executor.take(order(grant(await stored(blobs))))
    await wait_until(lambda: len(engine.calls) == 1)

    executor.take(order(cancels=(lease(),)))
    await wait_until(reported(leader))

    assert engine.cancelled == [str(task_id(1))]
    assert leader.outcomes() == [RunCancelled()]
    assert executor.leases() == ()


async def test_an_attempt_cancelled_in_the_turn_of_its_grant_never_reaches_the_engine() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine()
    executor = holder(engine, leader, blobs)

    executor.take(order(grant(await stored(blobs))))
    executor.take(order(cancels=(lease(),)))
    await wait_until(reported(leader))

    assert engine.calls == []
    assert leader.outcomes() == [RunCancelled()]


async def test_a_grant_that_comes_after_its_cancellation_is_not_run() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine()
    executor = holder(engine, leader, blobs)
    executor.take(order(cancels=(lease(),)))

    held = executor.take(order(grant(await stored(blobs))))
    await wait_until(reported(leader))

    assert held == receipt(lease())
    assert engine.calls == []
    assert leader.outcomes() == [RunCancelled()]


class SlowStore(MemoryBlobs):
    def __init__(self) -> None:
        super().__init__()
        self.storing = asyncio.Event()
        self.stored = asyncio.Event()
        self.stored.set()

    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        self.storing.set()
        await self.stored.wait()
        return await super().put(tenant, data, media_type, kind)


async def test_a_cancellation_after_the_engine_has_answered_does_not_waste_the_result() -> None:
    blobs, leader = SlowStore(), MemoryLeader()
    payload = await stored(blobs)
    blobs.storing.clear()
    blobs.stored.clear()
    executor = holder(FakeEngine(), leader, blobs)
    executor.take(order(grant(payload)))
    await blobs.storing.wait()

    executor.take(order(cancels=(lease(),)))
    blobs.stored.set()
    await wait_until(reported(leader))

    assert [type(outcome) for outcome in leader.outcomes()] == [RunCompleted]
