"""Changes of what a device has loaded that could not be done, or must not be."""

import asyncio
from contextlib import suppress

from pointsman.contracts.events import DeviceMode
from pointsman.contracts.leases import (
    ResidencyDone,
    ResidencyRefused,
    RunCompleted,
)
from pointsman.executor.holding.residency import (
    DEVICE_LOST,
    FIXED_DEVICE,
    IN_FLIGHT,
    STALE_GENERATION,
)
from pointsman.executor.ports import LOAD_FAILED, LOAD_TIMEOUT, EngineBusyError, EngineError
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
    LOST,
    FakeEngine,
    MemoryLeader,
    device,
    grant,
    holder,
    order,
    receipt,
    reported,
    stored,
)


async def test_a_change_that_a_later_one_overtook_is_refused() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    executor = dedicated(engine, leader)
    executor.take(change_order(change(5, unload=("echo",), load="other")))
    await wait_until(told(leader))

    executor.take(change_order(change(4, unload=("other",))))
    await wait_until(told(leader, 2))

    assert refusal(leader) == STALE_GENERATION
    assert variants(leader.changes[-1]) == ["other"]


async def test_a_model_with_calls_in_flight_is_not_unloaded() -> None:
    blobs, engine, leader = MemoryBlobs(), FakeEngine(hold=True), MemoryLeader()
    executor = dedicated(engine, leader, blobs)
    executor.take(order(grant(await stored(blobs))))

    executor.take(change_order(SWAP))
    await wait_until(told(leader))
    engine.release()
    await wait_until(reported(leader))

    assert refusal(leader) == IN_FLIGHT
    assert engine.changes == []
    assert isinstance(leader.outcomes()[0], RunCompleted)


async def test_a_load_that_fails_is_taken_back_and_refused_with_its_reason() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.load_failure = EngineError(LOAD_FAILED, "no weights", retryable=False)
    executor = dedicated(engine, leader)

    executor.take(change_order(SWAP))
    await wait_until(told(leader))

    assert leader.changes[0].outcome == ResidencyRefused(code=LOAD_FAILED, message="no weights")
    assert engine.changes == ["unload echo", "load other", "unload other"]
    assert variants(leader.changes[0]) == []


async def test_a_load_that_takes_too_long_is_taken_back_and_refused() -> None:
    engine, leader = FakeEngine(hold=True), MemoryLeader()
    executor = dedicated(engine, leader)

    executor.take(change_order(change(unload=("echo",), load="other", timeout_s=0.001)))
    await wait_until(told(leader))

    assert refusal(leader) == LOAD_TIMEOUT
    assert engine.changes[-1] == "unload other"
    assert variants(leader.changes[0]) == []


async def test_a_change_that_waited_too_long_for_its_turn_is_refused() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    cpu = device(engine, leader, mode=DeviceMode.DEDICATED)
    executor = holder(engine, leader, cpu=cpu)
    async with cpu.changing():
        executor.take(change_order(change(load="other", timeout_s=0.001)))
        over = asyncio.get_running_loop().time() + 0.001
        await wait_until(lambda: asyncio.get_running_loop().time() > over)
    await wait_until(told(leader))

    assert refusal(leader) == LOAD_TIMEOUT
    assert variants(leader.changes[0]) == ["echo"]


async def test_a_loaded_model_beside_which_the_canary_is_wrong_is_taken_back() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.canary_failure = EngineError("bad_output", "other bytes", retryable=True)
    executor = dedicated(engine, leader)

    executor.take(change_order(SWAP))
    await wait_until(told(leader))

    assert refusal(leader) == "bad_output"
    assert variants(leader.changes[0]) == []


async def test_a_canary_that_waits_behind_our_own_calls_does_not_undo_a_load() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.canary_failure = EngineBusyError("calls are in flight")
    executor = dedicated(engine, leader)

    executor.take(change_order(SWAP))
    await wait_until(told(leader))

    assert isinstance(leader.changes[0].outcome, ResidencyDone)


async def test_an_engine_that_goes_away_during_a_load_is_told_before_the_refusal() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.load_failure = engine.canary_failure = LOST
    cpu = device(engine, leader, mode=DeviceMode.DEDICATED)
    executor = holder(engine, leader, cpu=cpu)
    watching = asyncio.create_task(cpu.watch())

    executor.take(change_order(SWAP))
    await wait_until(told(leader))
    healths_before_the_report = [health.healthy for health in leader.healths]
    executor.take(change_order(change(2, load="third")))
    await wait_until(told(leader, 2))
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching

    assert healths_before_the_report == [False]
    assert [report.residency for report in leader.changes] == [None, None]
    assert refusal(leader) == DEVICE_LOST
    assert engine.changes == ["unload echo", "load other"]


async def test_a_fixed_device_is_never_changed() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    executor = holder(engine, leader)

    executor.take(change_order(SWAP))
    await wait_until(told(leader))

    assert refusal(leader) == FIXED_DEVICE
    assert engine.changes == []


async def test_a_change_of_an_earlier_incarnation_is_not_held() -> None:
    executor = dedicated(FakeEngine(), MemoryLeader())

    late = executor.take(change_order(SWAP, incarnation="that was killed"))

    assert late == receipt()
    assert executor.leases() == ()


async def test_a_device_that_this_executor_does_not_have_is_not_held() -> None:
    executor = dedicated(FakeEngine(), MemoryLeader())

    assert executor.take(change_order(change(device="gpu-9", load="other"))) == receipt()
