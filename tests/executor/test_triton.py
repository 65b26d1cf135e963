"""The Triton adapter against a real server."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import (
    Call,
    EngineBusyError,
    EngineDeadlineError,
    EngineError,
)
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import triton, triton_here
from pointsman.testing.waiting import wait_until
from tests.executor.engine_contract import EngineContract

pytestmark = pytest.mark.triton

# Does what the payload says, and leaves a mark where a call began and ended.
ODD_MODEL = """
import os, sys
sys.path.insert(0, os.environ["POINTSMAN_TRITON_SITE"])
import time
from pathlib import Path
import numpy as np
import triton_python_backend_utils as pb_utils

MARKS = Path({marks!r})

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        wish = pb_utils.get_input_tensor_by_name(request, "INPUT").as_numpy()[0].decode()
        if wish.startswith("Is anybody"):
            wish = "fine"
        (MARKS / wish).touch()
        numbers = np.array([1.0, 2.0, 3.0], dtype=np.float32)
        if wish == "nan":
            numbers[1] = np.nan
        if wish == "oom":
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        if wish == "raise":
            raise ValueError("line one\\nline two")
        if wish == "stubborn":
            while not (MARKS / "enough").exists():
                time.sleep(0.01)
        if wish == "until_cancelled":
            while not request.is_cancelled():
                time.sleep(0.005)
            (MARKS / "was_cancelled").touch()
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("OUTPUT", numbers)])
"""
ODD_CONFIG = """
name: "odd"
backend: "python"
max_batch_size: 0
input [ { name: "INPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ 3 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""


def call(variant: str, payload: bytes, *, timeout_s: float = 30.0, **parameters: str) -> Call:
    return Call(
        id="0190f0f0-0000-7000-8000-000000000001",
        variant=variant,
        payload=payload,
        media_type="text/plain",
        timeout_s=timeout_s,
        parameters=parameters,
    )


async def opened(server: LocalTriton) -> TritonEngine:
    engine = TritonEngine(f"grpc://{server.grpc_address}")
    await engine.open()
    return engine


class TestTritonEngine(EngineContract):
    variant = "identity"

    @pytest.fixture
    async def engine(self, identity_triton: LocalTriton) -> AsyncGenerator[TritonEngine]:
        engine = await opened(identity_triton)
        yield engine
        await engine.close()

    async def test_instances_are_its_slots(self, engine: TritonEngine) -> None:
        slots = {loaded.variant: loaded.slots for loaded in engine.residency}

        assert slots["identity"] == 2
        assert engine.device_class == "cpu"

    async def test_a_large_payload_comes_back(self, engine: TritonEngine) -> None:
        payload = bytes(20 * 1024 * 1024)

        output = await engine.infer(call("identity", payload))

        assert output.data == payload

    async def test_a_deadline_is_kept_by_the_engine(self, engine: TritonEngine) -> None:
        with pytest.raises(EngineDeadlineError):
            await engine.infer(call("identity", b"a", timeout_s=0.05, delay_ms="20000"))

        # Both instances are free again: the model was told.
        await asyncio.gather(*(engine.infer(call("identity", b"b")) for _ in range(2)))

    async def test_a_variant_that_is_not_there(self, engine: TritonEngine) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.infer(call("nowhere", b"a"))

        assert (caught.value.code, caught.value.retryable) == ("model_not_found", True)

    async def test_a_payload_that_the_model_refuses(self, engine: TritonEngine) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.infer(call("summarize_lead", b"  "))

        assert (caught.value.code, caught.value.retryable) == ("invalid_input", False)

    async def test_a_canary_behind_our_own_calls_says_nothing(self, engine: TritonEngine) -> None:
        calls = [
            asyncio.create_task(engine.infer(call("identity", b"a", delay_ms="20000")))
            for _ in range(2)
        ]
        try:
            with pytest.raises(EngineBusyError):
                await wait_until(lambda: failing_canary(engine), timeout_s=20)
        finally:
            for task in calls:
                task.cancel()
            await asyncio.wait(calls)

    async def test_calls_of_somebody_else_keep_it_from_being_quiescent(
        self, engine: TritonEngine, identity_triton: LocalTriton
    ) -> None:
        assert await engine.quiescent()
        other = await opened(identity_triton)
        calls = [
            asyncio.create_task(other.infer(call("identity", b"a", delay_ms="20000")))
            for _ in range(2)
        ]

        await wait_until(lambda: not_quiescent(engine), timeout_s=20)
        # What the system does when a holder is killed: its connection is closed.
        await other.close()
        await asyncio.wait(calls)

        await wait_until(engine.quiescent)
        assert all(task.exception() or task.cancelled() for task in calls)


async def failing_canary(engine: TritonEngine) -> bool:
    await engine.canary()
    return False


async def not_quiescent(engine: TritonEngine) -> bool:
    return not await engine.quiescent()


class TestOddModel:
    """A model without an `identity` beside it, that does what the payload says."""

    @pytest.fixture
    async def marks(self, tmp_path: Path) -> Path:
        marks = tmp_path / "marks"
        marks.mkdir()
        return marks

    @pytest.fixture
    async def engine(self, tmp_path: Path, marks: Path) -> AsyncGenerator[TritonEngine]:
        support = triton_here()
        if support.environment is None:
            pytest.skip(str(support))
        version = tmp_path / "models" / "odd" / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(ODD_MODEL.format(marks=str(marks)))
        (version.parent / "config.pbtxt").write_text(ODD_CONFIG)
        async with triton(tmp_path, ("odd",), repository=tmp_path / "models") as server:
            engine = await opened(server)
            yield engine
            await engine.close()

    async def test_numbers_come_back_as_bytes(self, engine: TritonEngine) -> None:
        output = await engine.infer(call("odd", b"fine"))

        assert struct.unpack("<3f", output.data) == (1.0, 2.0, 3.0)
        assert output.media_type == "application/vnd.pointsman.tensor;datatype=FP32;shape=3"

    @pytest.mark.parametrize(
        ("wish", "code", "retryable"),
        [
            (b"nan", "bad_output", True),
            (b"oom", "out_of_memory", True),
            (b"raise", "model_error", False),
        ],
    )
    async def test_what_a_model_does_wrong(
        self, engine: TritonEngine, wish: bytes, code: str, retryable: bool
    ) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.infer(call("odd", wish))

        assert (caught.value.code, caught.value.retryable) == (code, retryable)
        assert "\n" not in str(caught.value)

    async def test_a_cancelled_call_is_stopped_in_the_model(
        self, engine: TritonEngine, marks: Path
    ) -> None:
        running = asyncio.create_task(engine.infer(call("odd", b"until_cancelled")))
        await wait_until((marks / "until_cancelled").exists)

        running.cancel()

        await wait_until((marks / "was_cancelled").exists)
        assert running.cancelled()

    async def test_a_call_that_ignores_its_cancellation_keeps_the_engine_from_being_quiescent(
        self, engine: TritonEngine, marks: Path
    ) -> None:
        assert await engine.quiescent()
        running = asyncio.create_task(engine.infer(call("odd", b"stubborn")))
        await wait_until((marks / "stubborn").exists)
        running.cancel()
        while_busy = await engine.quiescent()

        (marks / "enough").touch()

        await wait_until(engine.quiescent)
        assert not while_busy

    async def test_without_an_identity_model_the_canary_asks_for_readiness(
        self, engine: TritonEngine
    ) -> None:
        await engine.canary()


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
