"""The sample model of long work through a real Triton: steps, checkpoints, refusals, cancelling."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import Call, Checkpoint, EngineError, Piece, Progress
from pointsman.testing.servers import triton, triton_here
from pointsman.testing.waiting import wait_until

pytestmark = [pytest.mark.triton, pytest.mark.asyncio(loop_scope="module")]

MODEL = "cluster_hashed"
TEXT = "\n".join(
    f"{what} number {number} about {what} and more {what}"
    for number in range(12)
    for what in ("harvest", "sonata", "deadlock")
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[TritonEngine]:
    support = triton_here()
    if not support.ok:
        pytest.skip(str(support))
    async with triton(tmp_path_factory.mktemp("clustering"), [MODEL]) as server:
        engine = TritonEngine(f"grpc://{server.grpc_address}")
        await engine.open()
        yield engine
        await engine.close()


def a_call(checkpoint: bytes | None = None, /, **parameters: str) -> Call:
    wish = parameters or None
    return Call("task-1", MODEL, TEXT.encode(), "text/plain", 30.0, wish, checkpoint=checkpoint)


async def run(engine: TritonEngine, call: Call) -> tuple[dict[str, Any], list[Piece]]:
    pieces: list[Piece] = []
    output = await engine.infer(call, pieces.append)
    return json.loads(output.data), pieces


def checkpoints(pieces: list[Piece]) -> list[bytes]:
    return [piece.data for piece in pieces if isinstance(piece, Checkpoint)]


async def test_lines_about_one_subject_are_put_together(engine: TritonEngine) -> None:
    answer, _ = await run(engine, a_call(clusters="3"))

    labels = answer["labels"]
    assert len(labels) == 36
    assert labels == labels[:3] * 12
    assert len(set(labels[:3])) == 3


async def test_every_round_says_how_far_it_is_and_where_it_stands(engine: TritonEngine) -> None:
    answer, pieces = await run(engine, a_call(clusters="5"))

    shares = [piece.share for piece in pieces if isinstance(piece, Progress)]
    assert len(shares) == len(checkpoints(pieces)) == answer["rounds"]
    assert shares == sorted(shares, key=lambda share: share or 0.0)
    assert shares[-1] == 1.0
    assert engine.heartbeat_s(MODEL) == 30.0


async def test_from_every_checkpoint_the_same_result_comes(engine: TritonEngine) -> None:
    whole, pieces = await run(engine, a_call(clusters="5"))

    for number, standing in enumerate(checkpoints(pieces), start=1):
        answer, rest = await run(engine, a_call(standing, clusters="5"))
        assert answer == whole
        assert len(checkpoints(rest)) == whole["rounds"] - number


@pytest.mark.parametrize("clusters", ["5", "4"])
async def test_a_checkpoint_of_something_else_is_passed_over(
    engine: TritonEngine, clusters: str
) -> None:
    _, pieces = await run(engine, a_call(clusters="5"))
    first = checkpoints(pieces)[0]
    other = first if clusters == "4" else first[:-1]

    answer, steps = await run(engine, a_call(other, clusters=clusters))
    anew, _ = await run(engine, a_call(clusters=clusters))

    assert answer == anew
    assert len(checkpoints(steps)) == anew["rounds"]


@pytest.mark.parametrize("wish", [{"clusters": "0"}, {"clusters": "many"}, {"starts": "1001"}])
async def test_a_wish_out_of_range_is_refused(engine: TritonEngine, wish: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="must be a whole number") as refused:
        await run(engine, a_call(**wish))

    assert (refused.value.code, refused.value.retryable) == ("invalid_input", False)


async def test_work_that_is_cancelled_ends_before_its_next_step(engine: TritonEngine) -> None:
    pieces: list[Piece] = []
    slow = a_call(step_delay_ms="20000")
    running = asyncio.ensure_future(engine.infer(slow, pieces.append))
    other = asyncio.ensure_future(run(engine, a_call(clusters="2")))
    await wait_until(lambda: not running.done())

    running.cancel()
    answer, _ = await other

    assert answer["clusters"] == 2
    assert pieces == []
