"""Attempts of one batch: one call of the engine, and an end of its own for each."""

import asyncio
from collections.abc import Sequence

import pytest

from pointsman.contracts.leases import Outcome, RunCancelled, RunCompleted, RunFailed, RunTimedOut
from pointsman.executor.ports import Call, EngineDeadlineError, EngineError, Output
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    ABSENT,
    LOST,
    FakeEngine,
    MemoryLeader,
    device,
    grant,
    holder,
    lease,
    order,
    receipt,
    reported,
    stored,
    task_id,
)

REFUSED = EngineError("invalid_input", "INPUT is empty", retryable=False)


class World:
    """An executor with one device, and the batch `b` on its way."""

    def __init__(self, *, hold: bool = False) -> None:
        self.blobs, self.leader = MemoryBlobs(), MemoryLeader()
        self.engine = FakeEngine(hold=hold)
        self.executor = holder(self.engine, self.leader, self.blobs)

    async def take(self, count: int) -> None:
        """Grant tasks 1, 2, 3 ... as one batch; each payload is its number."""
        grants = [
            grant(await stored(self.blobs, str(n).encode()), task=n, batch="b")
            for n in range(1, count + 1)
        ]
        self.executor.take(order(*grants))

    async def outcomes(self, count: int) -> dict[int, Outcome]:
        await wait_until(reported(self.leader, count))
        return {report.task.int: report.outcome for report in self.leader.reports}

    async def result(self, outcome: Outcome) -> bytes:
        assert isinstance(outcome, RunCompleted)
        return await self.blobs.get("acme", outcome.result)


async def test_a_batch_is_one_call_and_every_task_has_its_own_result() -> None:
    world = World()

    await world.take(3)
    outcomes = await world.outcomes(3)

    assert [len(calls) for calls in world.engine.batches] == [3]
    assert [await world.result(outcomes[n]) for n in (1, 2, 3)] == [b"1", b"2", b"3"]


async def test_all_of_a_batch_are_held_before_any_of_it_has_run() -> None:
    world = World(hold=True)
    payload = await stored(world.blobs)

    held = world.executor.take(order(*(grant(payload, task=n, batch="b") for n in (1, 2))))

    assert held == receipt(lease(1), lease(2))
    assert set(world.executor.leases()) == {lease(1), lease(2)}


async def test_what_comes_with_different_parameters_is_run_one_by_one() -> None:
    world = World()
    payload = await stored(world.blobs)
    grants = [grant(payload, task=n, batch="b", parameters={"sentences": str(n)}) for n in (1, 2)]

    world.executor.take(order(*grants))
    outcomes = await world.outcomes(2)

    assert world.engine.batches == []
    assert {type(outcome) for outcome in outcomes.values()} == {RunCompleted}


async def test_a_task_whose_payload_is_gone_is_not_waited_for() -> None:
    world = World()
    payload = await stored(world.blobs)
    grants = (
        grant(payload, task=1, batch="b"),
        grant(ABSENT, task=2, batch="b"),
        grant(payload, task=3, batch="b"),
    )

    world.executor.take(order(*grants))
    outcomes = await world.outcomes(3)

    assert isinstance(outcomes[2], RunFailed)
    assert outcomes[2].code == "payload_missing"
    assert [len(calls) for calls in world.engine.batches] == [2]


async def test_a_call_that_is_refused_says_that_it_was_shared() -> None:
    world = World()
    world.engine.failure = REFUSED

    await world.take(2)
    outcomes = await world.outcomes(2)

    for outcome in outcomes.values():
        assert isinstance(outcome, RunFailed)
        assert (outcome.code, outcome.shared) == ("invalid_input", True)
        assert "in one call with 1 other" in outcome.message


async def test_the_only_one_left_of_a_batch_is_refused_for_its_own_input() -> None:
    world = World()
    world.engine.failure = REFUSED
    payload = await stored(world.blobs)

    world.executor.take(order(grant(ABSENT, task=1, batch="b"), grant(payload, task=2, batch="b")))
    outcomes = await world.outcomes(2)

    assert outcomes[2] == RunFailed(code="invalid_input", message="INPUT is empty", retryable=False)


async def test_an_output_that_is_wrong_for_one_is_its_own_failure() -> None:
    class HalfBroken(FakeEngine):
        async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
            first, *others = await super().infer_batch(calls)
            return [first, *(EngineError("bad_output", "NaN", retryable=True) for _ in others)]

    world = World()
    world.executor = holder(HalfBroken(), world.leader, world.blobs)

    await world.take(2)
    outcomes = await world.outcomes(2)

    assert isinstance(outcomes[1], RunCompleted)
    assert outcomes[2] == RunFailed(code="bad_output", message="NaN", retryable=True)


async def test_a_lost_device_is_lost_for_all_of_them() -> None:
    world = World()
    world.engine.failure = world.engine.canary_failure = LOST
    cpu = device(world.engine, world.leader)
    world.executor = holder(world.engine, world.leader, world.blobs, cpu=cpu)
    watching = asyncio.create_task(cpu.watch())

    await world.take(2)
    outcomes = await world.outcomes(2)
    watching.cancel()

    for outcome in outcomes.values():
        assert isinstance(outcome, RunFailed)
        assert (outcome.device_lost, outcome.shared) == (True, False)


async def test_one_that_is_cancelled_leaves_the_others_to_their_call() -> None:
    world = World(hold=True)
    await world.take(3)
    await wait_until(lambda: bool(world.engine.batches))

    world.executor.take(order(cancels=(lease(2),)))
    await wait_until(reported(world.leader, 1))
    world.engine.release()
    outcomes = await world.outcomes(3)

    assert outcomes[2] == RunCancelled()
    assert {type(outcomes[n]) for n in (1, 3)} == {RunCompleted}
    assert world.engine.cancelled == []


async def test_the_last_one_that_is_cancelled_stops_the_call_before_it_is_reported() -> None:
    world = World(hold=True)
    await world.take(2)
    await wait_until(lambda: bool(world.engine.batches))

    world.executor.take(order(cancels=(lease(1), lease(2))))
    outcomes = await world.outcomes(2)

    assert set(outcomes.values()) == {RunCancelled()}
    assert world.engine.cancelled == [str(task_id(1))]


async def test_a_cancellation_before_the_call_makes_it_smaller() -> None:
    world = World()
    payload = await stored(world.blobs)
    grants = tuple(grant(payload, task=n, batch="b") for n in (1, 2, 3))

    world.executor.take(order(*grants))
    world.executor.take(order(cancels=(lease(1),)))
    outcomes = await world.outcomes(3)

    assert outcomes[1] == RunCancelled()
    assert [len(calls) for calls in world.engine.batches] == [2]


async def test_whose_time_is_over_first_gives_up_alone() -> None:
    world = World(hold=True)
    payload = await stored(world.blobs)
    hasty = grant(payload, task=1, batch="b", run_timeout_s=0.01)

    world.executor.take(order(hasty, grant(payload, task=2, batch="b")))
    await wait_until(reported(world.leader, 1))
    world.engine.release()
    outcomes = await world.outcomes(2)

    assert isinstance(outcomes[1], RunTimedOut)
    assert isinstance(outcomes[2], RunCompleted)


async def test_a_call_that_is_late_for_all_is_told_as_shared() -> None:
    world = World()
    world.engine.failure = EngineDeadlineError("30 s are over")

    await world.take(2)
    outcomes = await world.outcomes(2)

    for outcome in outcomes.values():
        assert isinstance(outcome, RunFailed)
        assert (outcome.code, outcome.shared) == ("deadline_exceeded", True)


async def test_draining_ends_a_shared_call_with_a_report_for_each() -> None:
    world = World(hold=True)
    await world.take(2)
    await wait_until(lambda: bool(world.engine.batches))

    await world.executor.drain(grace_s=0)

    assert world.leader.outcomes() == [RunCancelled()] * 2
    assert world.engine.cancelled == [str(task_id(1))]


async def test_a_batch_that_comes_again_is_not_run_again() -> None:
    world = World(hold=True)
    await world.take(2)

    await world.take(2)
    world.engine.release()
    await world.outcomes(2)

    assert len(world.engine.batches) == 1
    assert len(world.leader.reports) == 2


@pytest.mark.parametrize("count", [1, 2])
async def test_a_defect_of_an_engine_ends_every_attempt(count: int) -> None:
    class Defect(FakeEngine):
        async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
            raise ZeroDivisionError

        infer = infer_batch  # pyright: ignore[reportAssignmentType]  # it fails in the same way

    world = World()
    world.executor = holder(Defect(), world.leader, world.blobs)

    await world.take(count)
    outcomes = await world.outcomes(count)

    for outcome in outcomes.values():
        assert isinstance(outcome, RunFailed)
        assert outcome.code == "executor_error"
