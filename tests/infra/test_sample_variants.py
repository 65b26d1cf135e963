"""The sample models through a real Triton: right bytes, clear errors, cancellation, figures."""

import array
import asyncio
import json
import math
from collections.abc import AsyncGenerator

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import Call, Output
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.inference import InferenceClient, inference_client
from pointsman.testing.servers import SAMPLE_MODELS, triton, triton_here
from pointsman.testing.waiting import wait_until

pytestmark = [pytest.mark.triton, pytest.mark.asyncio(loop_scope="module")]

MODELS = sorted(path.name for path in SAMPLE_MODELS.iterdir() if path.is_dir())
STREAMING = [model for model in MODELS if model.startswith(("cluster_", "generate_"))]
BATCHING = [model for model in MODELS if model not in STREAMING]
TEXT_MODELS = [model for model in MODELS if model != "identity" and model not in STREAMING]
INSTANCES_OF_IDENTITY = 2

TEXT = (
    "The scheduler puts every waiting task into a queue. Coffee is served at noon. "
    "A worker takes the task from the queue when its lock is free. The hall has a red door. "
    "When two workers wait for the lock of the other, scheduling ends in a deadlock."
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[LocalTriton]:
    """All sample models."""
    support = triton_here()
    if not support.ok:
        pytest.skip(str(support))
    async with triton(tmp_path_factory.mktemp("sample-models"), MODELS) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(server: LocalTriton) -> AsyncGenerator[InferenceClient]:
    async with inference_client(server.grpc_address) as connected:
        yield connected


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x00", bytes(range(256)), "ein Gruß 🚂".encode(), b"x" * 1_000_000],
    ids=["nothing", "zero", "all bytes", "utf-8", "a megabyte"],
)
async def test_identity_gives_the_same_bytes_back(client: InferenceClient, payload: bytes) -> None:
    assert await client.infer("identity", payload) == payload


async def test_a_lead_summary_is_the_first_three_sentences(client: InferenceClient) -> None:
    summary = await client.infer("summarize_lead", TEXT.encode())

    assert summary.decode() == TEXT[: TEXT.index(" The hall")]


@pytest.mark.parametrize("model", ["summarize_hashed", "summarize_tfidf"])
async def test_a_ranked_summary_leaves_the_digressions_out(
    client: InferenceClient, model: str
) -> None:
    summary = (await client.infer(model, TEXT.encode())).decode()

    assert summary == TEXT.replace("Coffee is served at noon. ", "").replace(
        "The hall has a red door. ", ""
    )


@pytest.mark.parametrize("model", ["summarize_hashed", "summarize_lead", "summarize_tfidf"])
async def test_a_single_sentence_is_its_own_summary(client: InferenceClient, model: str) -> None:
    assert await client.infer(model, b"  One\n sentence only ") == b"One sentence only"


@pytest.mark.parametrize("model", ["classify_lexicon", "classify_linear"])
async def test_a_class_is_given_with_the_shares_of_all(client: InferenceClient, model: str) -> None:
    answer = json.loads(await client.infer(model, b"A socket sends packets to the server's port."))

    assert answer["label"] == "networking"
    assert max(answer["scores"], key=answer["scores"].get) == "networking"
    assert math.isclose(sum(answer["scores"].values()), 1, abs_tol=0.001)
    assert len(answer["scores"]) == 8


async def test_an_embedding_is_a_unit_vector_and_nearer_to_the_like(
    client: InferenceClient,
) -> None:
    async def vector(text: str) -> list[float]:
        return array.array("f", await client.infer("embed_hashed", text.encode())).tolist()

    original = await vector("The scheduler queues a task.")
    alike = await vector("Scheduling tasks in queues.")
    unlike = await vector("Flowers bloom in the garden.")

    def similarity(other: list[float]) -> float:
        return sum(a * b for a, b in zip(original, other, strict=True))

    assert len(original) == 256
    assert math.isclose(similarity(original), 1, rel_tol=1e-5)
    assert similarity(alike) > 0.5 > similarity(unlike)


@pytest.mark.parametrize("model", MODELS)
async def test_the_same_payload_gives_the_same_bytes(client: InferenceClient, model: str) -> None:
    answers = {await answered(client, model, TEXT.encode()) for _ in range(3)}

    assert len(answers) == 1
    assert answers != {b""}


@pytest.mark.parametrize("model", TEXT_MODELS)
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "INPUT is empty"),
        (b" \n\t ", "INPUT is empty"),
        (b"good \xff bad", "INPUT is not UTF-8: byte 5"),
        (b"x" * (1024 * 1024 + 1), "at most 1048576 are read"),
    ],
    ids=["empty", "blank", "not UTF-8", "too long"],
)
async def test_a_payload_that_cannot_be_worked_on_is_refused_with_its_reason(
    client: InferenceClient, model: str, payload: bytes, reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.infer(model, payload)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason in str(refused.value.details())
    assert await client.infer(model, TEXT.encode()) != b""


@pytest.mark.parametrize("model", BATCHING)
async def test_a_batch_gives_what_each_payload_gives_alone(
    server: LocalTriton, client: InferenceClient, model: str
) -> None:
    texts = [TEXT.encode(), b"One sentence only.", TEXT[:90].encode()]
    alone = [await client.infer(model, text) for text in texts]
    engine = TritonEngine(f"grpc://{server.grpc_address}")
    await engine.open()

    outputs = await engine.infer_batch(
        [
            Call(id="t", variant=model, payload=text, media_type="text/plain", timeout_s=30.0)
            for text in texts
        ]
    )
    await engine.close()

    assert [each.data for each in outputs if isinstance(each, Output)] == alone


@pytest.mark.parametrize("delay", ["soon", -1])
async def test_a_delay_that_is_no_time_is_refused(
    client: InferenceClient, delay: int | str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.infer("identity", b"x", parameters={"delay_ms": delay})

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_cancelled_calls_free_the_model_at_once(client: InferenceClient) -> None:
    """Both instances are busy for a minute; a third call is cancelled while it is queued."""
    a_minute = {"delay_ms": 60_000}
    calls = [
        asyncio.create_task(client.infer("identity", b"x", parameters=a_minute))
        for _ in range(INSTANCES_OF_IDENTITY + 1)
    ]
    await wait_until(lambda: occupied(client), message="both instances are busy")

    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    assert await client.infer("identity", b"next", timeout_s=10) == b"next"


async def occupied(client: InferenceClient) -> bool:
    """Whether a call without delay has to wait."""
    try:
        await client.infer("identity", b"probe", timeout_s=0.2)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    return False


async def test_a_deadline_ends_a_long_call(client: InferenceClient) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as over:
        await client.infer("identity", b"x", parameters={"delay_ms": 60_000}, timeout_s=0.2)

    assert over.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await client.infer("identity", b"next", timeout_s=10) == b"next"


async def answered(client: InferenceClient, model: str, payload: bytes) -> bytes:
    """The whole answer, in one piece or in several."""
    if model not in STREAMING:
        return await client.infer(model, payload)
    return b"".join([piece async for piece in client.stream(model, payload)])
