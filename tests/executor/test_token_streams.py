"""The text of a running attempt on its way to whoever watches."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.leases import (
    Lease,
    Outcome,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunTimedOut,
)
from pointsman.executor.holding.token_streams import MAX_PART_CHARS, TokenStream
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    ABSENT,
    LOST,
    FakeEngine,
    MemoryLeader,
    MemoryStreams,
    grant,
    holder,
    lease,
    order,
    reported,
    stored,
)

COMPLETED = RunCompleted(result=ABSENT, run_s=0.1)
NEVER_S = 3600.0


def a_stream(
    streams: MemoryStreams, *, every_s: float = NEVER_S, look_again_s: float = NEVER_S
) -> TokenStream:
    return TokenStream(lease(), streams, every_s=every_s, look_again_s=look_again_s)


async def test_the_first_piece_is_told_at_once() -> None:
    streams = MemoryStreams()
    stream = a_stream(streams)

    stream.add(b"Once")
    await wait_until(lambda: streams.text == "Once")

    (part,) = streams.parts
    assert (part.task, part.attempt, part.sequence, part.offset) == (lease().task, 1, 1, 0)
    stream.close()


async def test_what_comes_fast_travels_together() -> None:
    streams = MemoryStreams()
    stream = a_stream(streams)
    stream.add(b"0")
    await wait_until(lambda: streams.text == "0")

    for number in range(1, 1000):
        stream.add(f" {number}".encode())
    await stream.end(COMPLETED)

    assert streams.text == " ".join(map(str, range(1000)))
    assert streams.sent == 2


async def test_what_comes_slowly_is_told_as_it_comes() -> None:
    streams = MemoryStreams()
    stream = a_stream(streams, every_s=0.001)

    for text in ("Once", "Once upon", "Once upon a"):
        stream.add(text.removeprefix(streams.text).encode())
        await wait_until(lambda text=text: streams.text == text)

    assert [part.sequence for part in streams.parts] == [1, 2, 3]
    assert [part.offset for part in streams.parts] == [0, 4, 9]
    stream.close()


@pytest.mark.parametrize(
    ("outcome", "told", "code"),
    [
        (COMPLETED, "completed", ""),
        (RunFailed(code="model_error", message="no", retryable=False), "failed", "model_error"),
        (RunTimedOut(run_s=1.0), "timed_out", ""),
        (RunCancelled(), "cancelled", ""),
    ],
)
async def test_the_last_part_says_how_the_attempt_ended(
    outcome: Outcome, told: str, code: str
) -> None:
    streams = MemoryStreams()
    stream = a_stream(streams)

    stream.add(b"Once")
    await stream.end(outcome)

    assert (streams.parts[-1].outcome, streams.parts[-1].code) == (told, code)
    assert [part.outcome for part in streams.parts[:-1]] == [""] * (len(streams.parts) - 1)


async def test_an_answer_without_pieces_is_not_told() -> None:
    streams = MemoryStreams()

    await a_stream(streams).end(COMPLETED)

    assert streams.sent == 0


async def test_while_nobody_listens_nothing_but_a_look_now_and_then_is_sent() -> None:
    streams = MemoryStreams(listening=False)
    stream = a_stream(streams, every_s=0.001)

    for _ in range(1000):
        stream.add(b" more")
    await wait_until(lambda: streams.sent > 3)
    await stream.end(COMPLETED)

    # Each look waits twice as long as the one before.
    assert streams.sent < 20


async def test_who_comes_later_is_told_everything() -> None:
    streams = MemoryStreams(listening=False)
    stream = a_stream(streams, every_s=0.001, look_again_s=0.002)
    for piece in (b"Once", b" upon", b" a"):
        stream.add(piece)
    await wait_until(lambda: streams.sent > 3)

    streams.listening = True
    await wait_until(lambda: streams.text == "Once upon a")
    stream.add(b" time")
    await stream.end(COMPLETED)

    assert streams.text == "Once upon a time"
    assert [part.offset for part in streams.parts if part.text] == [0, len("Once upon a")]


@given(st.text(max_size=200), st.lists(st.integers(0, 800), max_size=20))
def test_characters_that_are_cut_in_two_come_whole(text: str, cuts: list[int]) -> None:
    data = text.encode(errors="replace")
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]

    streams = asyncio.run(published([data[start:stop] for start, stop in pairwise(edges)]))

    assert streams.text == data.decode()


async def published(pieces: Sequence[bytes]) -> MemoryStreams:
    streams = MemoryStreams()
    stream = a_stream(streams)
    for piece in pieces:
        stream.add(piece)
        if len(pieces) % 2:
            await wait_until(lambda: streams.sent > 0)
    await stream.end(COMPLETED)
    return streams


async def test_a_long_piece_is_cut_to_what_a_message_carries() -> None:
    text = "ä" * (2 * MAX_PART_CHARS + 1)

    streams = await published([text.encode()])

    assert streams.text == text
    assert max(len(part.text) for part in streams.parts) == MAX_PART_CHARS


async def test_an_attempts_pieces_are_told_before_its_end_is_reported() -> None:
    blobs, leader, streams = MemoryBlobs(), MemoryLeader(), MemoryStreams()
    engine = FakeEngine(hold=True)
    engine.pieces = [b"he", b"llo"]
    executor = holder(engine, leader, blobs, streams=streams)

    executor.take(order(grant(await stored(blobs))))
    await wait_until(lambda: streams.text.startswith("he"))
    before = list(leader.reports)
    engine.release()
    await wait_until(reported(leader))

    assert not before
    assert streams.text == "hello"
    assert streams.parts[-1].outcome == "completed"
    (outcome,) = leader.outcomes()
    assert isinstance(outcome, RunCompleted)
    assert await blobs.get("acme", outcome.result) == b"hello"


async def test_a_cancelled_attempt_ends_its_stream_and_the_next_begins_anew() -> None:
    blobs, leader, streams = MemoryBlobs(), MemoryLeader(), MemoryStreams()
    engine = FakeEngine(hold=True)
    engine.pieces = [b"hello"]
    executor = holder(engine, leader, blobs, streams=streams)
    payload = await stored(blobs)
    executor.take(order(grant(payload)))
    await wait_until(lambda: streams.text == "hello")

    executor.take(order(cancels=(Lease(task=lease().task, attempt=1),)))
    await wait_until(reported(leader))
    engine.release()
    executor.take(order(grant(payload, attempt=2)))
    await wait_until(reported(leader, 2))

    ends = {(part.attempt, part.outcome) for part in streams.parts if part.outcome}
    assert ends == {(1, "cancelled"), (2, "completed")}
    assert next(part.sequence for part in streams.parts if part.attempt == 2) == 1


async def test_an_engine_that_is_lost_in_the_middle_leaves_a_failed_stream() -> None:
    blobs, leader, streams = MemoryBlobs(), MemoryLeader(), MemoryStreams()
    engine = FakeEngine(hold=True)
    engine.pieces = [b"hel"]
    executor = holder(engine, leader, blobs, streams=streams)
    executor.take(order(grant(await stored(blobs))))
    await wait_until(lambda: streams.text == "hel")

    engine.failure = LOST
    engine.release()
    await wait_until(lambda: streams.parts[-1].outcome == "failed")

    assert streams.parts[-1].code == "engine_unavailable"
