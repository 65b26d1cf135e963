"""How the end of a call becomes the outcome of its attempt."""

import pytest

from pointsman.contracts.leases import RunFailed, RunTimedOut
from pointsman.contracts.message import BlobRef
from pointsman.executor.ports import Call, EngineDeadlineError, EngineError, OnPiece, Output
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import BlobsUnavailableError
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    ABSENT,
    FakeEngine,
    MemoryLeader,
    grant,
    holder,
    order,
    reported,
    stored,
)


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (
            EngineError("bad_output", "no bytes", retryable=True),
            RunFailed(code="bad_output", message="no bytes", retryable=True),
        ),
        (EngineDeadlineError("too slow"), RunTimedOut(run_s=0.0)),
    ],
    ids=["failed", "timed-out"],
)
async def test_what_the_engine_raises_becomes_the_outcome(
    failure: EngineError, outcome: RunFailed | RunTimedOut
) -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine()
    engine.failure = failure
    executor = holder(engine, leader, blobs)

    executor.take(order(grant(await stored(blobs))))
    await wait_until(reported(leader))

    assert leader.outcomes() == [outcome]


async def test_a_payload_that_is_gone_is_not_worth_another_attempt() -> None:
    leader = MemoryLeader()
    executor = holder(FakeEngine(), leader)

    executor.take(order(grant(ABSENT)))
    await wait_until(reported(leader))

    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunFailed)
    assert (outcome.code, outcome.retryable) == ("payload_missing", False)


async def test_a_damaged_payload_is_not_worth_another_attempt() -> None:
    blobs, leader = MemoryBlobs(), MemoryLeader()
    payload = await stored(blobs)
    blobs.corrupt("acme", payload)
    executor = holder(FakeEngine(), leader, blobs)

    executor.take(order(grant(payload)))
    await wait_until(reported(leader))

    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunFailed)
    assert (outcome.code, outcome.retryable) == ("payload_corrupt", False)


class FullDisk(MemoryBlobs):
    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        raise BlobsUnavailableError("disk full")


class Defective(FakeEngine):
    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        raise KeyError(call.variant)


async def test_a_result_that_cannot_be_stored_may_be_tried_again() -> None:
    blobs, leader = FullDisk(), MemoryLeader()
    payload = await MemoryBlobs.put(blobs, "acme", b"hello", "text/plain")
    executor = holder(FakeEngine(), leader, blobs)

    executor.take(order(grant(payload)))
    await wait_until(reported(leader))

    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunFailed)
    assert (outcome.code, outcome.retryable) == ("blobs_unavailable", True)


async def test_a_defect_of_the_executor_still_ends_the_attempt() -> None:
    blobs, leader = MemoryBlobs(), MemoryLeader()
    executor = holder(Defective(), leader, blobs)

    executor.take(order(grant(await stored(blobs))))
    await wait_until(reported(leader))

    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunFailed)
    assert (outcome.code, outcome.retryable) == ("executor_error", True)
