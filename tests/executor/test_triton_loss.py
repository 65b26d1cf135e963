"""A Triton that is killed, hangs, or is not there yet."""

import asyncio
import os
import signal

import pytest

from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import EngineDeadlineError, EngineError
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.waiting import wait_until
from tests.executor.triton_calls import call, opened

pytestmark = pytest.mark.triton


async def test_a_killed_server_is_unavailable_and_quiescent_when_it_is_back(
    identity_triton: LocalTriton,
) -> None:
    engine = await opened(identity_triton)
    await asyncio.gather(*(engine.infer(call("identity", b"a")) for _ in range(20)))
    await engine.quiescent()
    calls = [
        asyncio.create_task(engine.infer(call("identity", b"a", delay_ms="20000")))
        for _ in range(4)
    ]
    await wait_until(lambda: failing(engine, delay_ms="20000"))
    identity_triton.kill()
    await identity_triton.wait()
    await asyncio.wait(calls)
    with pytest.raises(EngineError) as while_down:
        await engine.canary()

    await identity_triton.start()
    await wait_until(lambda: serving(engine))

    lost = [task.exception() for task in calls]
    assert all(isinstance(error, EngineError) and error.device_lost for error in lost)
    assert while_down.value.device_lost
    assert await engine.quiescent()
    await engine.close()


async def failing(engine: TritonEngine, **parameters: str) -> bool:
    """True once both instances are taken, so that another call does not come through."""
    try:
        await engine.infer(call("identity", b"a", timeout_s=0.2, **parameters))
    except EngineDeadlineError:
        return True
    return False


async def serving(engine: TritonEngine) -> bool:
    try:
        await engine.canary()
    except EngineError:
        return False
    return True


async def test_an_engine_that_is_not_there_yet_is_waited_for(identity_triton: LocalTriton) -> None:
    address = identity_triton.grpc_address
    identity_triton.kill()
    await identity_triton.wait()
    engine = TritonEngine(f"grpc://{address}")
    opening = asyncio.create_task(engine.open())

    await identity_triton.start()
    await opening

    assert engine.residency
    await engine.close()


async def test_a_server_that_hangs_is_lost_although_its_port_is_open(
    identity_triton: LocalTriton,
) -> None:
    engine = await opened(identity_triton)
    os.kill(identity_triton.pid, signal.SIGSTOP)
    try:
        with pytest.raises(EngineError) as caught:
            await engine.canary()
    finally:
        os.kill(identity_triton.pid, signal.SIGCONT)

    assert caught.value.device_lost
    await wait_until(lambda: serving(engine))
    await engine.close()
