"""Changes of what a device has loaded: orders, loads and reports, in memory."""

import asyncio
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.events import DeviceMode
from pointsman.contracts.leases import (
    Lease,
    ResidencyDone,
    RunCompleted,
)
from pointsman.executor.holding.devices import Device
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.holding.residency import (
    GANG_APART,
    lease_of,
)
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.changes import (
    SWAP,
    change,
    change_order,
    dedicated,
    refusal,
    told,
    variants,
)
from tests.executor.fakes import (
    IDENTITY,
    FakeEngine,
    MemoryLeader,
    MemoryStreams,
    device,
    grant,
    holder,
    order,
    receipt,
    reported,
    stored,
)


async def test_a_granted_change_is_done_and_reported_with_what_is_loaded_now() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    ticks = iter((10.0, 10.25, 11.0))
    executor = dedicated(engine, leader, clock=lambda: next(ticks))

    held = executor.take(change_order(SWAP))
    await wait_until(told(leader))

    (report,) = leader.changes
    assert held == receipt(lease_of(SWAP))
    assert engine.changes == ["unload echo", "load other"]
    assert report.outcome == ResidencyDone(load_s=0.75, unload_s=0.25, unloads_s={"echo": 0.25})
    assert (report.device, report.generation, variants(report)) == ("cpu-0", 1, ["other"])


async def test_the_receipt_does_not_wait_for_the_load_and_its_lease_is_renewed() -> None:
    engine, leader = FakeEngine(hold=True), MemoryLeader(silent=True)
    executor = dedicated(engine, leader)

    held = executor.take(change_order(SWAP))
    while_loading = executor.leases()
    engine.release()
    await wait_until(told(leader))
    while_unanswered = executor.leases()
    leader.answer()
    await wait_until(lambda: executor.leases() == ())

    assert held == receipt(lease_of(SWAP))
    assert while_loading == while_unanswered == (lease_of(SWAP),)


async def test_a_repeated_change_is_held_again_and_done_once() -> None:
    engine, leader = FakeEngine(hold=True), MemoryLeader()
    executor = dedicated(engine, leader)

    receipts = [executor.take(change_order(SWAP)) for _ in range(3)]
    engine.release()
    await wait_until(told(leader))

    assert receipts == [receipt(lease_of(SWAP))] * 3
    assert engine.changes == ["unload echo", "load other"]


async def test_a_change_that_has_ended_is_reported_again_when_it_is_granted_again() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    executor = dedicated(engine, leader)
    executor.take(change_order(SWAP))
    await wait_until(lambda: told(leader)() and executor.leases() == ())

    held = executor.take(change_order(SWAP))
    await wait_until(told(leader, 2))

    assert held == receipt(lease_of(SWAP))
    assert leader.changes[0] == leader.changes[1]
    assert len(engine.changes) == 2


async def test_an_order_of_an_earlier_leader_changes_nothing() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    executor = dedicated(engine, leader)
    executor.take(change_order(epoch=7))

    late = executor.take(change_order(SWAP, epoch=6))

    assert late == receipt(stale_epoch=True)
    assert (engine.changes, executor.leases()) == ([], ())


async def test_changes_of_one_device_are_done_one_after_the_other() -> None:
    engine, leader = FakeEngine(hold=True), MemoryLeader()
    executor = dedicated(engine, leader)
    executor.take(change_order(SWAP, change(2, unload=("other",), load="third")))
    await wait_until(lambda: len(engine.changes) == 2)
    while_the_first_loads = list(engine.changes)

    engine.release()
    await wait_until(told(leader, 2))

    assert while_the_first_loads == ["unload echo", "load other"]
    assert engine.changes[2:] == ["unload other", "load third"]
    assert variants(leader.changes[-1]) == ["third"]


async def test_calls_of_other_models_go_on_beside_a_load() -> None:
    blobs, engine, leader = MemoryBlobs(), FakeEngine(hold=True), MemoryLeader()
    cpu = device(engine, leader, mode=DeviceMode.SHARED)
    executor = holder(engine, leader, blobs, cpu=cpu)
    executor.take(order(grant(await stored(blobs))))

    executor.take(change_order(change(load="other")))
    await wait_until(lambda: engine.changes == ["load other"])
    engine.release()
    await wait_until(told(leader))
    await wait_until(reported(leader))

    assert isinstance(leader.changes[0].outcome, ResidencyDone)
    assert variants(leader.changes[0]) == ["echo", "other"]
    assert isinstance(leader.outcomes()[0], RunCompleted)


def gang(engine: FakeEngine, leader: MemoryLeader, *names: str) -> LeaseHolder:
    devices = [
        device(engine, leader, name=name, mode=DeviceMode.DEDICATED, gpu=number)
        for number, name in enumerate(names)
    ]
    return LeaseHolder(
        IDENTITY, devices, blobs=MemoryBlobs(), leader=leader, streams=MemoryStreams()
    )


async def test_an_instance_is_placed_on_all_gpus_of_its_gang() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    executor = gang(engine, leader, "gpu-0", "gpu-1", "gpu-2")

    executor.take(change_order(change(device="gpu-2", load="other", members=("gpu-0",))))
    await wait_until(told(leader))

    assert engine.changes == ["load other 2,0"]


async def test_a_gang_that_no_engine_holds_together_is_refused() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    executor = gang(engine, leader, "gpu-0")

    executor.take(change_order(change(device="gpu-0", load="other", members=("gpu-9",))))
    await wait_until(told(leader))

    assert refusal(leader) == GANG_APART


async def test_draining_takes_no_change_and_reports_the_one_that_is_done_in_time() -> None:
    engine, leader = FakeEngine(hold=True), MemoryLeader()
    executor = dedicated(engine, leader)
    executor.take(change_order(SWAP))
    draining = asyncio.create_task(executor.changes.drain(grace_s=30))
    others = count(2)
    await wait_until(
        lambda: executor.take(change_order(change(next(others), load="third"))) == receipt()
    )

    known = executor.take(change_order(SWAP))
    engine.release()
    await draining

    assert known == receipt(lease_of(SWAP))
    assert len(leader.changes) == next(others) - 2
    assert {type(report.outcome) for report in leader.changes} == {ResidencyDone}


@pytest.mark.parametrize("grace_s", [0.0, 0.001])
async def test_a_load_that_outlives_the_grace_period_is_left_to_the_engine(grace_s: float) -> None:
    engine, leader = FakeEngine(hold=True), MemoryLeader()
    executor = dedicated(engine, leader)
    executor.take(change_order(SWAP))

    await executor.changes.drain(grace_s)

    assert leader.changes == []


STEP = st.tuples(
    st.sampled_from(["take", "turn", "release", "answer"]),
    st.integers(1, 4),
    st.sampled_from(["echo", "other", "third"]),
    st.sampled_from(["", "echo", "other", "third", "unknown"]),
)


async def play(steps: list[tuple[str, int, str, str]]) -> tuple[set[Lease], MemoryLeader, Device]:
    engine, leader = FakeEngine(hold=True), MemoryLeader(silent=True)
    cpu = device(engine, leader, mode=DeviceMode.SHARED)
    executor = holder(engine, leader, cpu=cpu)
    granted = {number: (unload, load) for _, number, unload, load in reversed(steps)}
    held: set[Lease] = set()
    turn = asyncio.Event()
    for step, number, _, _ in steps:
        if step == "take":
            unload, load = granted[number]
            wanted = change_order(change(number, unload=(unload,), load=load))
            held |= {*executor.take(wanted).held}
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
    return held, leader, cpu


@settings(max_examples=60)
@given(st.lists(STEP, min_size=4, max_size=30))
def test_every_change_that_was_held_ends_once_and_the_last_report_says_what_is_there(
    steps: list[tuple[str, int, str, str]],
) -> None:
    held, leader, cpu = asyncio.run(play(steps))

    by_generation = {report.generation: report for report in leader.changes}
    assert {lease.attempt for lease in held} == set(by_generation)
    assert all(report == by_generation[report.generation] for report in leader.changes)
    done = [r for r in by_generation.values() if isinstance(r.outcome, ResidencyDone)]
    if done:
        latest = max(done, key=lambda report: report.generation)
        assert latest.residency == cpu.residency
