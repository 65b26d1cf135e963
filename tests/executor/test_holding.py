"""Orders, runs and reports of one executor, in memory."""

import asyncio
from collections.abc import Iterator
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.leases import (
    AttemptReport,
    Lease,
    RunCancelled,
    RunCompleted,
    RunFailed,
)
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.ports import EngineError
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    ABSENT,
    IDENTITY,
    FakeEngine,
    MemoryLeader,
    MemoryStreams,
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


async def test_a_granted_attempt_is_run_and_its_result_stored() -> None:
    blobs, leader = MemoryBlobs(), MemoryLeader()
    ticks: Iterator[float] = iter((10.0, 11.0, 11.5))
    executor = holder(FakeEngine(), leader, blobs, clock=lambda: next(ticks))

    held = executor.take(order(grant(await stored(blobs))))
    await wait_until(reported(leader))

    (report,) = leader.reports
    assert held == receipt(lease())
    assert report.device == "cpu-0"
    assert isinstance(report.outcome, RunCompleted)
    assert report.outcome.run_s == 0.5
    assert await blobs.get("acme", report.outcome.result) == b"hello"


async def test_the_receipt_does_not_wait_for_the_run() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine(hold=True)
    executor = holder(engine, leader, blobs)

    held = executor.take(order(grant(await stored(blobs))))

    assert held == receipt(lease())
    assert leader.reports == []
    assert executor.leases() == (lease(),)


async def test_a_repeated_order_is_held_again_and_not_run_again() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine(hold=True)
    executor = holder(engine, leader, blobs)
    orders = order(grant(await stored(blobs)))

    receipts = [executor.take(orders) for _ in range(3)]
    engine.release()
    await wait_until(reported(leader))

    assert receipts == [receipt(lease())] * 3
    assert len(engine.calls) == len(leader.reports) == 1


async def test_a_grant_of_a_finished_attempt_is_held_and_reported_again() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine()
    executor = holder(engine, leader, blobs)
    orders = order(grant(await stored(blobs)))
    executor.take(orders)
    await wait_until(reported(leader))

    held = executor.take(orders)
    await wait_until(reported(leader, 2))

    assert held == receipt(lease())
    assert leader.reports[0] == leader.reports[1]
    assert len(engine.calls) == 1


async def test_an_order_of_an_earlier_leader_changes_nothing() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine(hold=True)
    executor = holder(engine, leader, blobs)
    payload = await stored(blobs)
    executor.take(order(grant(payload), epoch=7))

    late = executor.take(order(grant(payload, task=2), cancels=(lease(),), epoch=6))
    engine.release()
    await wait_until(reported(leader))

    assert late == receipt(stale_epoch=True)
    assert [report.task for report in leader.reports] == [task_id(1)]
    assert isinstance(leader.reports[0].outcome, RunCompleted)


async def test_what_an_earlier_incarnation_was_granted_is_not_taken() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine()
    executor = holder(engine, leader, blobs)
    granted = grant(await stored(blobs))

    late = executor.take(order(granted, incarnation="that was killed"))
    mine = executor.take(order(granted, incarnation=IDENTITY.incarnation))
    await wait_until(reported(leader))

    assert (late, mine) == (receipt(), receipt(lease()))
    assert len(engine.calls) == 1


async def test_a_lease_is_held_until_the_leader_answers_its_report() -> None:
    blobs, leader = MemoryBlobs(), MemoryLeader(silent=True)
    executor = holder(FakeEngine(), leader, blobs)
    executor.take(order(grant(await stored(blobs))))
    await wait_until(lambda: len(leader.reports) == 1)
    while_silent = executor.leases()

    leader.answer()
    await wait_until(lambda: executor.leases() == ())

    assert while_silent == (lease(),)
    assert len(leader.reports) == 1


async def test_a_device_that_this_executor_does_not_have_is_refused() -> None:
    leader = MemoryLeader()
    executor = holder(FakeEngine(), leader)

    held = executor.take(order(grant(ABSENT, device="gpu-9")))

    assert held == receipt()


async def test_draining_takes_nothing_more_and_lets_calls_end() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine(hold=True)
    executor = holder(engine, leader, blobs)
    payload = await stored(blobs)
    executor.take(order(grant(payload)))
    await wait_until(lambda: len(engine.calls) == 1)

    draining = asyncio.create_task(executor.drain(grace_s=30))
    others = count(2)
    await wait_until(lambda: executor.take(order(grant(payload, task=next(others)))) == receipt())
    known = executor.take(order(grant(payload)))
    engine.release()
    await draining

    assert known == receipt(lease())
    assert {type(outcome) for outcome in leader.outcomes()} == {RunCompleted}
    assert len(leader.reports) == len(engine.calls) == next(others) - 2


async def test_calls_that_outlive_the_grace_period_are_stopped_and_reported() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine(hold=True)
    executor = holder(engine, leader, blobs)
    executor.take(order(grant(await stored(blobs))))
    await wait_until(lambda: len(engine.calls) == 1)

    await executor.drain(grace_s=0)

    (outcome,) = leader.outcomes()
    assert outcome == RunCancelled()
    assert engine.cancelled == [str(task_id(1))]


STEP = st.tuples(
    st.sampled_from(["grant", "cancel", "turn", "release", "answer"]),
    st.integers(1, 2),
    st.integers(1, 2),
)


async def play(
    steps: list[tuple[str, int, int]],
) -> tuple[set[Lease], list[AttemptReport], FakeEngine, LeaseHolder]:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(silent=True), FakeEngine(hold=True)
    executor = holder(engine, leader, blobs)
    payload = await stored(blobs)
    held: set[Lease] = set()
    turn = asyncio.Event()
    for step, task, attempt in steps:
        if step == "grant":
            held |= {*executor.take(order(grant(payload, task=task, attempt=attempt))).held}
        elif step == "cancel":
            executor.take(order(cancels=(lease(task, attempt),)))
        elif step == "release":
            engine.release()
        elif step == "answer":
            leader.answer()
        else:
            asyncio.get_running_loop().call_soon(turn.set)
            await turn.wait()
            turn.clear()
    leader.answer()
    engine.release()
    await wait_until(lambda: executor.leases() == ())
    return held, leader.reports, engine, executor


@settings(max_examples=60)
@given(st.lists(STEP, min_size=6, max_size=40))
def test_every_attempt_that_was_held_is_run_at_most_once_and_reported(
    steps: list[tuple[str, int, int]],
) -> None:
    held, reports, engine, _ = asyncio.run(play(steps))

    by_lease = {Lease(task=report.task, attempt=report.attempt): report for report in reports}
    assert set(by_lease) == held
    assert all(
        report == by_lease[Lease(task=report.task, attempt=report.attempt)] for report in reports
    )
    assert len(engine.calls) <= len(held)
    ended_well = [r for r in by_lease.values() if isinstance(r.outcome, RunCompleted)]
    assert len(ended_well) + len(engine.cancelled) == len(engine.calls)


async def test_a_lost_device_is_told_before_the_attempts_that_died_with_it() -> None:
    blobs, leader, engine = MemoryBlobs(), MemoryLeader(), FakeEngine()
    engine.failure = EngineError("engine_unavailable", "gone", retryable=True, device_lost=True)
    engine.canary_failure = engine.failure
    cpu = device(engine, leader)
    executor = LeaseHolder(IDENTITY, [cpu], blobs=blobs, leader=leader, streams=MemoryStreams())
    payload = await stored(blobs)
    watching = asyncio.create_task(cpu.watch())

    executor.take(order(*(grant(payload, task=number) for number in range(1, 6))))
    await wait_until(reported(leader, 5))
    refused = executor.take(order(grant(payload, task=6)))
    watching.cancel()

    assert [health.healthy for health in leader.healths] == [False]
    assert all(
        isinstance(outcome, RunFailed) and outcome.device_lost for outcome in leader.outcomes()
    )
    assert refused == receipt()
