"""A device going out of service and coming back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from pointsman.contracts.events import DeviceMode
from pointsman.executor.holding.devices import Device
from pointsman.executor.ports import Call, EngineBusyError, EngineError
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import LOST, FakeEngine, MemoryLeader, device

WRONG = EngineError("bad_output", "the canary came back with other bytes", retryable=True)


@asynccontextmanager
async def watched(
    engine: FakeEngine,
    leader: MemoryLeader,
    *,
    watched_device: Device | None = None,
    canary_every_s: float = 0.001,
) -> AsyncGenerator[Device]:
    watched_device = watched_device or device(engine, leader, canary_every_s=canary_every_s)
    task = asyncio.create_task(watched_device.watch())
    try:
        yield watched_device
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def healths(leader: MemoryLeader) -> list[bool]:
    return [health.healthy for health in leader.healths]


async def test_an_offer_says_what_the_engine_serves() -> None:
    engine = FakeEngine()

    cpu = device(engine, MemoryLeader())
    await cpu.open()

    offer = cpu.offer()

    assert offer.residency == engine.residency
    assert (offer.device, offer.slots, offer.quiescent) == ("cpu-0", 8, True)
    assert (offer.mode, offer.loadable) == (DeviceMode.FIXED, ())


async def test_an_offer_of_a_device_that_is_loaded_by_the_leader_says_what_could_be_loaded() -> (
    None
):
    cpu = device(FakeEngine(), MemoryLeader(), mode=DeviceMode.DEDICATED)
    await cpu.open()

    offer = cpu.offer()

    assert (offer.mode, offer.memory_mib) == (DeviceMode.DEDICATED, 1000.0)
    assert [each.variant for each in offer.loadable] == ["echo", "other", "third"]


async def test_a_lost_device_is_reported_once_and_returns_by_itself() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.canary_failure = LOST
    async with watched(engine, leader, canary_every_s=60) as cpu:
        await asyncio.gather(cpu.lose("socket closed"), cpu.lose("connection refused"))
        lost_before = (cpu.serving, healths(leader))

        engine.canary_failure = None
        await wait_until(lambda: healths(leader) == [False, True])

        assert lost_before == (False, [False])
        assert cpu.serving
        assert leader.healths[0].reason == "socket closed"
        assert leader.healths[1].quiescent


async def test_a_device_that_comes_back_says_what_it_has_loaded_now() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    cpu = device(engine, leader, mode=DeviceMode.DEDICATED)
    async with watched(engine, leader, watched_device=cpu):
        engine.residency = ()
        await cpu.lose("the server was restarted")
        await wait_until(lambda: healths(leader) == [False, True])

    assert [health.residency for health in leader.healths] == [None, ()]
    assert engine.refreshed == 1


async def test_an_engine_that_was_restarted_between_two_canaries_is_noticed() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    cpu = device(engine, leader, mode=DeviceMode.DEDICATED, canary_every_s=0.001)
    async with watched(engine, leader, watched_device=cpu):
        engine.found = ()

        await wait_until(lambda: healths(leader) == [False, True])

    assert leader.healths[0].reason == "its engine was restarted: echo is gone"
    assert leader.healths[1].residency == ()


@pytest.mark.parametrize("mode", [DeviceMode.FIXED, DeviceMode.DEDICATED])
async def test_a_call_for_a_model_that_is_gone_loses_the_device_where_the_leader_loads(
    mode: DeviceMode,
) -> None:
    engine = FakeEngine()
    engine.failure = EngineError("model_not_found", "no such model", retryable=False)
    cpu = device(engine, MemoryLeader(), mode=mode)
    call = Call(id="1", variant="echo", payload=b"", media_type="text/plain", timeout_s=1.0)

    with pytest.raises(EngineError) as alone:
        await cpu.infer(call)
    with pytest.raises(EngineError) as shared:
        await cpu.infer_batch([call])

    lost = mode is DeviceMode.DEDICATED
    assert (alone.value.device_lost, shared.value.device_lost) == (lost, lost)
    assert alone.value.code == shared.value.code == "model_not_found"


async def test_a_fixed_device_comes_back_as_it_was() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    async with watched(engine, leader, canary_every_s=60) as cpu:
        await cpu.lose("the server was restarted")
        await wait_until(lambda: healths(leader) == [False, True])

    assert leader.healths[1].residency is None
    assert engine.refreshed == 0


async def test_a_canary_that_fails_beside_a_load_says_nothing() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.canary_failure = WRONG
    async with watched(engine, leader) as cpu, cpu.changing():
        await wait_until(lambda: engine.canaries > 5)

        assert cpu.serving
        assert leader.healths == []


async def test_an_engine_that_still_works_for_somebody_is_not_called_quiescent() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.quiet = False
    async with watched(engine, leader, canary_every_s=60) as cpu:
        await cpu.lose("socket closed")
        await wait_until(lambda: healths(leader) == [False, True])

        assert not leader.healths[1].quiescent


async def test_each_change_is_a_command_of_its_own() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    async with watched(engine, leader, canary_every_s=60) as cpu:
        for count in (2, 4):
            await cpu.lose("socket closed")
            await wait_until(lambda count=count: len(leader.healths) == count)

    assert len({health.command_id for health in leader.healths}) == 4


async def test_a_canary_that_cannot_connect_takes_the_device_out_at_once() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.canary_failure = LOST
    async with watched(engine, leader):
        await wait_until(lambda: healths(leader) == [False])

    assert "connection refused" in leader.healths[0].reason


async def test_ready_but_wrong_takes_the_device_out_at_the_second_canary() -> None:
    engine, leader = FakeEngine(), MemoryLeader(silent=True)
    engine.canary_failure = WRONG
    async with watched(engine, leader):
        await wait_until(lambda: healths(leader) == [False])

        assert engine.canaries == 2


async def test_a_canary_that_waits_behind_our_own_calls_says_nothing() -> None:
    engine, leader = FakeEngine(), MemoryLeader()
    engine.canary_failure = EngineBusyError("calls are in flight")
    async with watched(engine, leader) as cpu:
        await wait_until(lambda: engine.canaries > 5)

        assert cpu.serving
        assert leader.healths == []


async def test_a_goodbye_suspends_the_device() -> None:
    leader = MemoryLeader()

    await device(FakeEngine(), leader).say_goodbye()

    assert [(health.healthy, health.reason) for health in leader.healths] == [
        (False, "the executor is stopping")
    ]
