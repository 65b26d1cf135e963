"""Messages in flight to one stream."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.js.api import DiscardPolicy, StreamConfig

from pointsman.contracts import subjects
from pointsman.eventstore.pipeline import (
    ConnectionInterruptedError,
    Marks,
    Pipeline,
    PublishRefusedError,
    SupersededError,
)
from pointsman.eventstore.publications import Outgoing
from pointsman.eventstore.stream_tip import StreamMissingError, read_tip
from tests.eventstore.relaying import Bench, a_bench, headers


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with a_bench(tmp_path) as bench:
        yield bench


async def a_pipeline(bench: Bench, relay: str = "here") -> Pipeline:
    stream = subjects.FEED_STREAM
    tip = await read_tip(bench.nc, stream)
    marks = Marks(relay, log="a-log")
    return Pipeline(bench.nc, stream, tip, position=tip.position, marks=marks, renamed_to=0)


def message(first: int, last: int) -> Outgoing:
    return Outgoing(subjects.FEED, b"[]", {}, first, last)


async def spans(bench: Bench) -> list[str]:
    return [headers(stored)["Pm-Position"] for stored in await bench.messages()]


async def test_one_answer_confirms_everything_before_it(bench: Bench) -> None:
    await bench.add_plain_stream()

    async with await a_pipeline(bench) as pipeline:
        await pipeline.send(message(1, 1), ask=True)
        await pipeline.settle()
        for position in range(2, 9):
            await pipeline.send(message(position, position), ask=position == 8)
        await pipeline.settle()

    assert (pipeline.sequence, pipeline.position, pipeline.idle) == (8, 8, True)
    assert await spans(bench) == [f"{position}-{position}" for position in range(1, 9)]


async def test_what_is_in_flight_behind_a_lost_race_is_not_stored(bench: Bench) -> None:
    # The sequence that the third message expects is reached by the other relay's second one.
    await bench.add_plain_stream()
    async with await a_pipeline(bench) as pipeline:
        await pipeline.send(message(1, 3), ask=True)
        await pipeline.settle()
        async with await a_pipeline(bench, relay="there") as other:
            await other.send(message(4, 9), ask=True)
            await other.settle()

        await pipeline.send(message(4, 5), ask=False)
        await pipeline.send(message(6, 7), ask=True)
        with pytest.raises(SupersededError):
            await pipeline.settle()

    assert await spans(bench) == ["1-3", "4-9"]


async def test_a_stream_that_is_full_says_so(bench: Bench) -> None:
    config = StreamConfig(
        name=subjects.FEED_STREAM, subjects=[subjects.FEED], max_msgs=1, discard=DiscardPolicy.NEW
    )
    await bench.nc.jsm().add_stream(config)

    async with await a_pipeline(bench) as pipeline:
        await pipeline.send(message(1, 1), ask=True)
        await pipeline.settle()
        await pipeline.send(message(2, 2), ask=True)
        with pytest.raises(PublishRefusedError, match="maximum messages") as refused:
            await pipeline.settle()

    assert refused.value.server_code == 10077


async def test_a_stream_that_is_deleted_is_missing(bench: Bench) -> None:
    await bench.add_plain_stream()

    async with await a_pipeline(bench) as pipeline:
        await bench.nc.jsm().delete_stream(subjects.FEED_STREAM)
        await pipeline.send(message(1, 1), ask=True)
        with pytest.raises(StreamMissingError):
            await pipeline.settle()


async def test_a_broken_connection_leaves_everything_in_doubt(bench: Bench) -> None:
    await bench.add_plain_stream()

    async with await a_pipeline(bench) as pipeline:
        await pipeline.send(message(1, 1), ask=True)
        await pipeline.settle()
        await pipeline.send(message(2, 2), ask=False)
        bench.server.kill()
        await bench.server.wait()
        with pytest.raises(ConnectionInterruptedError):
            await pipeline.settle()
