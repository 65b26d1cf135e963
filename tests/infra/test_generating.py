"""The generating sample models through a real Triton: tokens, seeds, ends, refusals, cancelling."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from pointsman.testing.inference import InferenceClient, StreamRefusedError, inference_client
from pointsman.testing.servers import triton, triton_here
from pointsman.testing.waiting import wait_until

pytestmark = [pytest.mark.triton, pytest.mark.asyncio(loop_scope="module")]

GENERATING = ("generate_order4", "generate_bigram")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[InferenceClient]:
    support = triton_here()
    if not support.ok:
        pytest.skip(str(support))
    async with (
        triton(tmp_path_factory.mktemp("generating"), GENERATING) as server,
        inference_client(server.grpc_address) as connected,
    ):
        yield connected


async def pieces_of(
    client: InferenceClient, model: str, payload: bytes, **parameters: int | str
) -> list[bytes]:
    return [piece async for piece in client.stream(model, payload, parameters=parameters)]


@pytest.mark.parametrize("model", GENERATING)
async def test_a_text_is_continued_token_by_token(client: InferenceClient, model: str) -> None:
    pieces = await pieces_of(client, model, b"The lock", max_tokens=12, temperature=0)

    assert len(pieces) == 12
    assert all(pieces)


@pytest.mark.parametrize("model", GENERATING)
async def test_the_seed_and_the_temperature_choose_the_continuation(
    client: InferenceClient, model: str
) -> None:
    async def continued(**parameters: int | str) -> bytes:
        return b"".join(await pieces_of(client, model, b"The lock", **parameters))

    first, again, other = await continued(seed=1), await continued(seed=1), await continued(seed=2)
    cold = {await continued(seed=seed, temperature=0) for seed in (1, 2, 3)}

    assert first == again != other
    assert len(cold) == 1


@pytest.mark.parametrize("model", GENERATING)
async def test_a_text_ends_where_texts_end_in_training(client: InferenceClient, model: str) -> None:
    lengths = {
        len(await pieces_of(client, model, b"The lock", max_tokens=4096, seed=seed))
        for seed in range(5)
    }

    assert len(lengths) > 1
    assert max(lengths) < 4096


async def test_the_longer_memory_finds_a_sample_text_more_probable(
    client: InferenceClient,
) -> None:
    text = b"Visitors are welcome and should ask at the front desk. Photographs of the evening"

    scores = [
        json.loads(b"".join(await pieces_of(client, f"generate_{name}", text, score=1)))
        for name in ("order4", "bigram")
    ]

    assert scores[0]["log2_probability"] > scores[1]["log2_probability"]
    assert scores[0]["tokens"] == scores[1]["tokens"] == 16


@pytest.mark.parametrize(
    ("payload", "parameters", "reason"),
    [
        (b"  ", {}, "INPUT is empty"),
        (b"good \xff bad", {}, "INPUT is not UTF-8: byte 5"),
        (b"The", {"max_tokens": 0}, "max_tokens must be a whole number from 1 to 4096, not 0"),
        (b"The", {"max_tokens": "many"}, "max_tokens must be a whole number"),
        (b"The", {"seed": -1}, "seed must be a whole number"),
        (b"The", {"temperature": "hot"}, "temperature must be from 0 to 10, not 'hot'"),
        (b"The", {"temperature": "nan"}, "temperature must be from 0 to 10, not 'nan'"),
        (b"The", {"token_delay_ms": "long"}, "token_delay_ms must be a whole number"),
    ],
)
async def test_what_cannot_be_continued_is_refused_with_its_reason(
    client: InferenceClient, payload: bytes, parameters: dict[str, int | str], reason: str
) -> None:
    with pytest.raises(StreamRefusedError, match=re.escape(reason)):
        await pieces_of(client, "generate_bigram", payload, **parameters)

    assert await pieces_of(client, "generate_bigram", b"The", max_tokens=1)


async def test_a_cancelled_stream_frees_the_model_before_its_next_token(
    client: InferenceClient,
) -> None:
    a_minute = {"token_delay_ms": 60_000, "delay_ms": 0}
    for _ in range(20):
        stream = client.stream("generate_bigram", b"The", parameters=a_minute)
        first = asyncio.create_task(anext(stream))
        await wait_until(lambda: streams(client), message="the model works on the stream")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    assert await pieces_of(client, "generate_bigram", b"The", max_tokens=1)


async def streams(client: InferenceClient) -> bool:
    """Whether a short stream has to wait."""
    try:
        async with asyncio.timeout(0.05):
            await pieces_of(client, "generate_bigram", b"probe", max_tokens=1)
    except TimeoutError:
        return True
    return False
