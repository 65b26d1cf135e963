"""The Triton adapter against a real server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from pointsman.executor.adapters.kserve import SERVICE
from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import (
    EngineBusyError,
    EngineDeadlineError,
    EngineError,
    Output,
)
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import triton
from pointsman.testing.waiting import wait_until
from tests.executor.conftest import require_triton
from tests.executor.engine_contract import EngineContract
from tests.executor.triton_calls import call, opened

Context = grpc.aio.ServicerContext[bytes, bytes]

pytestmark = pytest.mark.triton


def code_of(task: asyncio.Task[Output]) -> str:
    error = task.exception()
    return error.code if isinstance(error, EngineError) else repr(error)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_triton(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[LocalTriton]:
    require_triton()
    work = tmp_path_factory.mktemp("shared")
    async with triton(work, ("identity", "summarize_lead")) as server:
        yield server


@pytest.mark.asyncio(loop_scope="module")
class TestTritonEngine(EngineContract):
    variant = "identity"

    @pytest_asyncio.fixture(loop_scope="module")
    async def engine(self, shared_triton: LocalTriton) -> AsyncGenerator[TritonEngine]:
        engine = await opened(shared_triton)
        yield engine
        await engine.close()

    async def test_its_slots_are_instances_times_concurrent_requests(
        self, engine: TritonEngine
    ) -> None:
        slots = {loaded.variant: loaded.slots for loaded in engine.residency}

        # Two instances that declare 32 requests each, and one that declares 2.
        assert slots["identity"] == 64
        assert slots["summarize_lead"] == 2
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

    async def test_a_payload_that_the_model_refuses_fails_its_whole_batch(
        self, engine: TritonEngine
    ) -> None:
        with pytest.raises(EngineError) as caught:
            await engine.infer_batch([call("summarize_lead", text) for text in (b"A text.", b" ")])

        assert (caught.value.code, caught.value.retryable) == ("invalid_input", False)

    async def test_a_deadline_ends_a_batch(self, engine: TritonEngine) -> None:
        late = [call("identity", b"a", timeout_s=0.05, delay_ms="20000") for _ in range(2)]

        with pytest.raises(EngineDeadlineError):
            await engine.infer_batch(late)

        assert (await engine.infer(call("identity", b"b"))).data == b"b"

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
        self, engine: TritonEngine, shared_triton: LocalTriton
    ) -> None:
        assert await engine.quiescent()
        other = await opened(shared_triton)
        calls = [
            asyncio.create_task(other.infer(call("identity", b"a", delay_ms="20000")))
            for _ in range(2)
        ]

        await wait_until(lambda: not_quiescent(engine), timeout_s=20)
        # What the system does when a holder is killed: its connection is closed.
        await other.close()
        await asyncio.wait(calls)

        await wait_until(engine.quiescent)
        assert {code_of(task) for task in calls} == {"engine_cancelled"}


async def failing_canary(engine: TritonEngine) -> bool:
    await engine.canary()
    return False


async def not_quiescent(engine: TritonEngine) -> bool:
    return not await engine.quiescent()


@pytest.mark.parametrize(
    ("flags", "sent"), [("01", True), ("03", True), ("00", False), ("02", False), ("zz", False)]
)
async def test_only_sampled_calls_carry_their_trace(flags: str, sent: bool) -> None:
    traceparent = f"00-{'1' * 32}-{'2' * 16}-{flags}"
    async with recording_server() as (endpoint, received):
        engine = TritonEngine(endpoint)

        with pytest.raises(EngineError, match="not here to answer"):
            await engine.infer(replace(call("identity", b"a"), traceparent=traceparent))
        await engine.close()

    assert received[0].get("traceparent") == (traceparent if sent else None)


@asynccontextmanager
async def recording_server() -> AsyncGenerator[tuple[str, list[dict[str, str]]]]:
    """A gRPC server that keeps the metadata of every call and answers none."""
    received: list[dict[str, str]] = []

    async def refuse(_request: bytes, context: Context) -> bytes:
        received.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        await context.abort(grpc.StatusCode.INTERNAL, "not here to answer")
        return b""

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(refuse)
    service, _, name = f"{SERVICE}ModelInfer".strip("/").partition("/")
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {name: method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"grpc://127.0.0.1:{port}", received
    finally:
        await server.stop(grace=None)
