"""What the Triton adapter makes of a model that misbehaves on request."""

import asyncio
import struct
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import EngineError
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import triton
from pointsman.testing.waiting import wait_until
from tests.executor.conftest import require_triton
from tests.executor.triton_calls import call, opened

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


# Gives its input back until it is told to go wrong.
WAVERING_MODEL = """
import os, sys
sys.path.insert(0, os.environ["POINTSMAN_TRITON_SITE"])
from pathlib import Path
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        data = pb_utils.get_input_tensor_by_name(request, "INPUT").as_numpy()
        if Path({wrong!r}).exists():
            data[0] = data[0][::-1]
        return pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("OUTPUT", data)])
"""
WAVERING_CONFIG = """
name: "identity"
backend: "python"
max_batch_size: 0
input [ { name: "INPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
"""


async def test_a_server_that_is_ready_and_answers_other_bytes_is_found_out(tmp_path: Path) -> None:
    require_triton()
    wrong = tmp_path / "wrong"
    repository = repository_of(
        tmp_path, "identity", WAVERING_CONFIG, WAVERING_MODEL.format(wrong=str(wrong))
    )
    async with triton(tmp_path, ("identity",), repository=repository) as server:
        engine = await opened(server)
        await engine.canary()

        wrong.touch()
        with pytest.raises(EngineError) as caught:
            await engine.canary()
        await engine.close()

    assert (caught.value.code, caught.value.device_lost) == ("bad_output", False)


def repository_of(work: Path, name: str, config: str, model: str) -> Path:
    version = work / "models" / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(model)
    (version.parent / "config.pbtxt").write_text(config)
    return work / "models"


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("marks")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def odd_triton(
    tmp_path_factory: pytest.TempPathFactory, marks: Path
) -> AsyncGenerator[LocalTriton]:
    require_triton()
    work = tmp_path_factory.mktemp("odd")
    repository = repository_of(work, "odd", ODD_CONFIG, ODD_MODEL.format(marks=str(marks)))
    async with triton(work, ("odd",), repository=repository) as server:
        yield server


@pytest.mark.asyncio(loop_scope="module")
class TestOddModel:
    """A model without an `identity` beside it, that does what the payload says."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def engine(self, odd_triton: LocalTriton) -> AsyncGenerator[TritonEngine]:
        engine = await opened(odd_triton)
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
