"""Streaming calls to a real Triton: pieces, ends, failures in the middle."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import EngineDeadlineError, EngineError, Piece
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import SAMPLE_MODELS, triton
from pointsman.testing.waiting import wait_until
from tests.executor.conftest import require_triton
from tests.executor.triton_calls import call, opened

pytestmark = [pytest.mark.triton, pytest.mark.asyncio(loop_scope="module")]

GENERATE = "generate_bigram"


SLOWLY = {"token_delay_ms": "100"}

# Sends two good pieces, then does what the payload says.
ODD_MODEL = """
import os, sys
sys.path.insert(0, os.environ["POINTSMAN_TRITON_SITE"])
import time
from pathlib import Path
import numpy as np
import triton_python_backend_utils as pb_utils

MARKS = Path({marks!r})
FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL

class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            self.stream(request, request.get_response_sender())

    def stream(self, request, sender):
        wish = pb_utils.get_input_tensor_by_name(request, "INPUT").as_numpy()[0].decode()
        self.send(sender, [b"one "])
        self.send(sender, [b"two "])
        if wish == "error":
            error = pb_utils.TritonError("the model gave up", pb_utils.TritonError.INTERNAL)
            sender.send(pb_utils.InferenceResponse(output_tensors=[], error=error))
        if wish == "oom":
            error = pb_utils.TritonError("CUDA out of memory. Tried to allocate 20.00 MiB")
            sender.send(pb_utils.InferenceResponse(output_tensors=[], error=error), flags=FINAL)
            return
        if wish == "raise":
            raise ValueError("it raised in the middle")
        if wish == "shape":
            self.send(sender, [b"three", b"four"])
        if wish == "flood":
            for _ in range(20):
                self.send(sender, [bytes(1024 * 1024)])
        if wish == "endless":
            while not sender.is_cancelled():
                self.send(sender, [b"."])
                time.sleep(0.01)
            (MARKS / wish).touch()
        sender.send(flags=FINAL)

    def send(self, sender, elements):
        tensor = pb_utils.Tensor("OUTPUT", np.array(elements, dtype=np.object_))
        sender.send(pb_utils.InferenceResponse(output_tensors=[tensor]))
"""
ODD_CONFIG = """
name: "odd"
backend: "python"
max_batch_size: 0
model_transaction_policy { decoupled: True }
input [ { name: "INPUT" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "OUTPUT" data_type: TYPE_STRING dims: [ -1 ] } ]
instance_group [ { kind: KIND_CPU count: 1 } ]
"""


@dataclass(frozen=True)
class Streaming:
    """A server with two streaming models; `marks` is where the odd one leaves them."""

    server: LocalTriton
    engine: TritonEngine
    marks: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def streaming(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Streaming]:
    require_triton()
    work = tmp_path_factory.mktemp("streaming")
    models, marks = work / "models", work / "marks"
    marks.mkdir()
    (models / "odd" / "1").mkdir(parents=True)
    (models / "odd" / "config.pbtxt").write_text(ODD_CONFIG)
    (models / "odd" / "1" / "model.py").write_text(ODD_MODEL.format(marks=str(marks)))
    for name in ("identity", GENERATE):
        (models / name).symlink_to(SAMPLE_MODELS / name)
    async with triton(work, ("identity", GENERATE, "odd"), repository=models) as server:
        engine = await opened(server)
        yield Streaming(server, engine, marks)
        await engine.close()


async def test_a_streaming_variant_is_offered_with_its_slots(streaming: Streaming) -> None:
    slots = {loaded.variant: loaded.slots for loaded in streaming.engine.residency}

    assert (slots[GENERATE], slots["odd"]) == (1, 1)


async def test_the_pieces_come_one_by_one_and_are_the_output(streaming: Streaming) -> None:
    pieces: list[Piece] = []
    asked = call(GENERATE, b"The lock", max_tokens="20", temperature="0.5", seed="7")

    output = await streaming.engine.infer(asked, pieces.append)
    again = await streaming.engine.infer(asked)

    assert 1 < len(pieces) <= 20
    whole = b"".join(piece for piece in pieces if isinstance(piece, bytes))
    assert output.data == whole == again.data
    assert (output.model_version, output.media_type) == ("1", None)


async def test_pieces_are_told_while_the_model_still_works(streaming: Streaming) -> None:
    pieces: list[Piece] = []
    running = asyncio.create_task(streaming.engine.infer(call("odd", b"endless"), pieces.append))

    await wait_until(lambda: len(pieces) > 5)

    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await wait_until((streaming.marks / "endless").exists, message="the model was told")
    assert (await streaming.engine.infer(call("odd", b"next"))).data == b"one two "


@pytest.mark.parametrize(
    ("wish", "code", "retryable", "reason"),
    [
        (b"error", "model_error", False, "the model gave up"),
        (b"raise", "model_error", False, "it raised in the middle"),
        (b"oom", "out_of_memory", True, "Tried to allocate"),
        (b"shape", "bad_output", True, r"BYTES of shape \[2\]"),
        (b"flood", "result_too_large", False, "more than 16777216 bytes"),
    ],
)
async def test_a_failure_between_two_pieces_says_what_it_was(
    streaming: Streaming, wish: bytes, code: str, retryable: bool, reason: str
) -> None:
    pieces: list[Piece] = []

    with pytest.raises(EngineError, match=reason) as caught:
        await streaming.engine.infer(call("odd", wish), pieces.append)

    assert pieces[:2] == [b"one ", b"two "]
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert not caught.value.device_lost
    # The server and the model live, and the slot is free.
    assert (await streaming.engine.infer(call("odd", b"next"))).data == b"one two "


async def test_a_slow_stream_ends_at_its_deadline(streaming: Streaming) -> None:
    pieces: list[Piece] = []

    with pytest.raises(EngineDeadlineError):
        await streaming.engine.infer(call(GENERATE, b"The", timeout_s=0.3, **SLOWLY), pieces.append)

    assert pieces
    assert (await streaming.engine.infer(call(GENERATE, b"The", max_tokens="1"))).data


async def test_what_a_streaming_model_refuses_is_no_loss_of_its_device(
    streaming: Streaming,
) -> None:
    with pytest.raises(EngineError, match="INPUT is empty") as caught:
        await streaming.engine.infer(call(GENERATE, b"  "))

    assert (caught.value.retryable, caught.value.device_lost) == (False, False)


async def test_a_stream_of_somebody_else_keeps_it_from_being_quiescent(
    streaming: Streaming,
) -> None:
    assert await streaming.engine.quiescent()
    other = await opened(streaming.server)
    (streaming.marks / "endless").unlink(missing_ok=True)
    pieces: list[Piece] = []
    running = asyncio.create_task(other.infer(call("odd", b"endless"), pieces.append))
    await wait_until(lambda: len(pieces) > 0)

    busy = await streaming.engine.quiescent()
    # What the system does when a holder is killed: its connection is closed.
    await other.close()
    await asyncio.gather(running, return_exceptions=True)

    assert not busy
    await wait_until(streaming.engine.quiescent)
    assert (streaming.marks / "endless").exists()


async def test_a_server_that_is_killed_in_the_middle_is_a_lost_device(
    streaming: Streaming,
) -> None:
    pieces: list[Piece] = []
    running = asyncio.create_task(streaming.engine.infer(call("odd", b"endless"), pieces.append))
    await wait_until(lambda: len(pieces) > 5)

    streaming.server.kill()
    await streaming.server.wait()

    with pytest.raises(EngineError) as caught:
        await running
    assert caught.value.device_lost
    await streaming.server.start()
    await wait_until(lambda: continued(streaming.engine))


async def continued(engine: TritonEngine) -> bool:
    try:
        return bool((await engine.infer(call(GENERATE, b"The", max_tokens="1"))).data)
    except EngineError:
        return False
