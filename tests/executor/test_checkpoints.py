"""Where an attempt stands: stored, told to the leader, and given to the next attempt."""

import pytest

from pointsman.contracts.leases import RunCompleted
from pointsman.contracts.message import BlobRef
from pointsman.executor.holding.checkpoints import Checkpoints
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.ports import Checkpoint, EngineError, Progress
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import BlobsUnavailableError
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    ABSENT,
    IDENTITY,
    FakeEngine,
    MemoryLeader,
    MemoryStreams,
    grant,
    holder,
    order,
    reported,
    stored,
    task_id,
)

BROKEN = EngineError("engine_cancelled", "stopped", retryable=True)


class FullBlobs(MemoryBlobs):
    """Its disk is full while a checkpoint is stored."""

    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        if data.startswith(b"round"):
            raise BlobsUnavailableError("the disk is full")
        return await super().put(tenant, data, media_type, kind)


def a_run(leader: MemoryLeader, blobs: MemoryBlobs, *, every_s: float) -> Checkpoints:
    return Checkpoints(IDENTITY, grant(ABSENT), blobs=blobs, leader=leader, every_s=every_s)


def told(leader: MemoryLeader) -> list[int]:
    return [report.sequence for report in leader.checkpoints]


async def running(
    engine: FakeEngine, leader: MemoryLeader, blobs: MemoryBlobs, **changes: object
) -> LeaseHolder:
    holding = holder(engine, leader, blobs, streams=MemoryStreams())
    granted = grant(await stored(blobs), **changes)  # pyright: ignore[reportArgumentType]  # mixed on purpose
    holding.take(order(granted))
    return holding


async def test_a_checkpoint_is_stored_before_it_is_told() -> None:
    leader, blobs = MemoryLeader(), MemoryBlobs()
    run = a_run(leader, blobs, every_s=60.0)

    run.take(b"round 1", 0.25)
    await wait_until(lambda: len(leader.checkpoints) == 1)

    (report,) = leader.checkpoints
    assert (report.task, report.attempt, report.sequence, report.progress) == (
        *(task_id(1), 1),
        *(1, 0.25),
    )
    assert await blobs.get("acme", report.checkpoint) == b"round 1"
    run.close()


async def test_of_those_that_come_fast_the_newest_is_told() -> None:
    leader, blobs = MemoryLeader(), MemoryBlobs()
    run = a_run(leader, blobs, every_s=0.05)

    run.take(b"round 1", None)
    await wait_until(lambda: told(leader) == [1])
    for number in range(2, 100):
        run.take(b"round %d" % number, None)
    await wait_until(lambda: len(leader.checkpoints) == 2)

    assert told(leader) == [1, 99]
    run.close()


async def test_while_the_leader_is_silent_only_the_newest_waits() -> None:
    leader, blobs = MemoryLeader(silent=True), MemoryBlobs()
    run = a_run(leader, blobs, every_s=0.001)
    run.take(b"round 1", None)
    await wait_until(lambda: told(leader) == [1])

    run.take(b"round 2", None)
    run.take(b"round 3", None)
    leader.answer()
    await wait_until(lambda: told(leader) == [1, 3])

    run.close()


async def test_an_attempt_that_fails_tells_its_last_checkpoint_before_its_end() -> None:
    engine, leader, blobs = FakeEngine(), MemoryLeader(), MemoryBlobs()
    engine.pieces = [Progress(0.5, "half"), Checkpoint(b"round 1")]
    engine.failure = BROKEN

    await running(engine, leader, blobs)
    await wait_until(reported(leader))

    (report,) = leader.checkpoints
    assert (report.sequence, report.progress) == (1, 0.5)
    assert await blobs.get("acme", report.checkpoint) == b"round 1"


async def test_a_result_makes_checkpoints_useless() -> None:
    engine, leader, blobs = FakeEngine(), MemoryLeader(silent=True), MemoryBlobs()
    engine.pieces = [Progress(0.5), Checkpoint(b"round 1"), Progress(), b"done"]

    await running(engine, leader, blobs)
    await wait_until(lambda: len(leader.reports) == 1)

    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunCompleted)
    assert outcome.progress_parts == 3


async def test_a_store_that_is_full_costs_a_checkpoint_and_not_the_run() -> None:
    engine, leader, blobs = FakeEngine(), MemoryLeader(), FullBlobs()
    engine.pieces = [Checkpoint(b"round 1")]

    await running(engine, leader, blobs)
    await wait_until(reported(leader))

    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunCompleted)
    assert leader.checkpoints == []


async def test_the_engine_is_given_where_an_earlier_attempt_stood() -> None:
    engine, leader, blobs = FakeEngine(), MemoryLeader(), MemoryBlobs()
    standing = await stored(blobs, b"round 7")

    await running(engine, leader, blobs, attempt=2, checkpoint=standing)
    await wait_until(reported(leader))

    assert [call.checkpoint for call in engine.calls] == [b"round 7"]


async def test_a_checkpoint_that_is_gone_costs_the_work_and_not_the_task() -> None:
    engine, leader, blobs = FakeEngine(), MemoryLeader(), MemoryBlobs()

    await running(engine, leader, blobs, attempt=2, checkpoint=ABSENT)
    await wait_until(reported(leader))

    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunCompleted)
    assert [call.checkpoint for call in engine.calls] == [None]


@pytest.mark.parametrize(
    ("pieces", "share", "note", "parts"),
    [
        ([Progress(0.25, "round 1"), Progress(0.5, "round 2")], 0.5, "round 2", 2),
        ([Progress()], None, "", 1),
        ([Progress(0.5, "half"), Checkpoint(b"round 1")], 0.5, "half", 2),
    ],
)
async def test_renewals_say_how_far_a_running_attempt_is(
    pieces: list[Progress | Checkpoint], share: float | None, note: str, parts: int
) -> None:
    engine, leader, blobs = FakeEngine(hold=True), MemoryLeader(), MemoryBlobs()
    engine.pieces = [*pieces]

    holding = await running(engine, leader, blobs)
    await wait_until(lambda: bool(holding.progress()))

    (progress,) = holding.progress()
    assert (progress.progress, progress.note, progress.parts) == (share, note, parts)
    engine.release()
    await wait_until(reported(leader))
    assert holding.progress() == ()


async def test_a_model_that_only_writes_says_nothing_about_how_far_it_is() -> None:
    engine, leader, blobs = FakeEngine(hold=True), MemoryLeader(), MemoryBlobs()
    engine.pieces = [b"Once"]

    holding = await running(engine, leader, blobs)
    await wait_until(lambda: bool(engine.calls))

    assert holding.progress() == ()
    engine.release()
    await wait_until(reported(leader))
