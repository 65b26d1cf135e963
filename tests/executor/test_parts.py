"""Cutting inputs and merging results as leases of an executor, without any device."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.leases import Grant, RunCancelled, RunCompleted, RunFailed, RunSplit
from pointsman.contracts.message import BlobRef
from pointsman.contracts.parts import Merge, MergeWork, PartResult, SplitWork
from pointsman.runtime.blob_rows import BlobKind
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.fakes import (
    ABSENT,
    FakeEngine,
    MemoryLeader,
    holder,
    lease,
    order,
    receipt,
    reported,
    stored,
    task_id,
)

SENTENCES = [f"This is sentence number {number} of a long text. " for number in range(40)]
TEXT = "".join(SENTENCES).encode()


def to_split(payload: BlobRef, *, max_bytes: int = 500, attempt: int = 1) -> Grant:
    return Grant(
        task=task_id(1),
        attempt=attempt,
        tenant="acme",
        device="",
        variant="",
        payload=payload,
        media_type="",
        run_timeout_s=30.0,
        split=SplitWork(max_bytes=max_bytes),
    )


def to_merge(*parts: PartResult, rule: Merge = Merge.JOIN, keep_result: bool = False) -> Grant:
    return Grant(
        task=task_id(1),
        attempt=2,
        tenant="acme",
        device="",
        variant="",
        payload=ABSENT,
        media_type="",
        run_timeout_s=30.0,
        merge=MergeWork(rule=rule, parts=parts),
        keep_result=keep_result,
    )


async def outcome_of(blobs: MemoryBlobs, grant: Grant) -> object:
    leader, engine = MemoryLeader(), FakeEngine()
    executor = holder(engine, leader, blobs)
    held = executor.take(order(grant))
    await wait_until(reported(leader))

    assert held == receipt(lease(attempt=grant.attempt))
    assert engine.calls == []
    assert leader.reports[0].device == ""
    assert executor.leases() == ()
    return leader.reports[0].outcome


async def test_an_input_is_cut_and_its_parts_are_stored() -> None:
    blobs = MemoryBlobs()

    outcome = await outcome_of(blobs, to_split(await stored(blobs, TEXT)))

    assert isinstance(outcome, RunSplit)
    parts = [await blobs.get("acme", part) for part in outcome.parts]
    assert b"".join(parts) == TEXT
    assert all(len(part) <= 500 for part in parts)
    assert {blobs.kinds[part.digest] for part in outcome.parts} == {BlobKind.PAYLOAD}
    assert {part.media_type for part in outcome.parts} == {"text/plain"}


async def test_cutting_again_gives_the_same_parts() -> None:
    blobs = MemoryBlobs()
    payload = await stored(blobs, TEXT)

    outcomes = [await outcome_of(blobs, to_split(payload, attempt=n)) for n in (1, 2)]

    assert outcomes[0] == outcomes[1]


async def test_parts_of_white_space_are_left_out() -> None:
    blobs = MemoryBlobs()

    outcome = await outcome_of(
        blobs, to_split(await stored(blobs, b"word " * 10 + b" " * 200), max_bytes=60)
    )

    assert isinstance(outcome, RunSplit)
    assert len(outcome.parts) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\xff\x00", "not_divisible", id="no text"),
        pytest.param(b"x" * 2000, "not_divisible", id="one long word"),
        pytest.param(b" " * 2000, "not_divisible", id="nothing but white space"),
        pytest.param(b"word " * 10_000, "too_many_parts", id="too many parts"),
    ],
)
async def test_what_cannot_be_cut_fails_for_good(data: bytes, code: str) -> None:
    blobs = MemoryBlobs()

    outcome = await outcome_of(blobs, to_split(await stored(blobs, data)))

    assert isinstance(outcome, RunFailed)
    assert (outcome.code, outcome.retryable) == (code, False)


async def test_a_payload_that_is_gone_fails_for_good() -> None:
    outcome = await outcome_of(MemoryBlobs(), to_split(ABSENT))

    assert isinstance(outcome, RunFailed)
    assert (outcome.code, outcome.retryable) == ("payload_missing", False)


async def test_results_are_merged_in_the_order_of_the_input() -> None:
    blobs = MemoryBlobs()
    results = [await stored(blobs, text) for text in (b"First.", b"Second.")]

    outcome = await outcome_of(
        blobs,
        to_merge(
            PartResult(size=10, result=results[0]),
            PartResult(size=10, code="bad_output"),
            PartResult(size=10, result=results[1]),
        ),
    )

    assert isinstance(outcome, RunCompleted)
    assert outcome.result.media_type == 'text/plain;parts=3;missing="2"'
    assert (
        await blobs.get("acme", outcome.result)
        == b"First.\n\n[part 2 of 3 is missing: bad_output]\n\nSecond."
    )
    assert blobs.kinds[outcome.result.digest] is BlobKind.RESULT


async def test_the_result_of_a_turn_is_kept() -> None:
    blobs = MemoryBlobs()
    grant = to_merge(PartResult(size=10, result=await stored(blobs)), keep_result=True)

    outcome = await outcome_of(blobs, grant)

    assert isinstance(outcome, RunCompleted)
    assert blobs.kinds[outcome.result.digest] is BlobKind.KEPT


async def test_results_that_do_not_fit_the_rule_fail_for_good() -> None:
    blobs = MemoryBlobs()
    grant = to_merge(PartResult(size=10, result=await stored(blobs)), rule=Merge.VOTE)

    outcome = await outcome_of(blobs, grant)

    assert isinstance(outcome, RunFailed)
    assert (outcome.code, outcome.retryable) == ("not_mergeable", False)


async def test_a_cancelled_cut_is_not_made() -> None:
    blobs, leader = MemoryBlobs(), MemoryLeader()
    executor = holder(FakeEngine(), leader, blobs)
    payload = await stored(blobs, TEXT)

    executor.take(order(cancels=(lease(),)))
    executor.take(order(to_split(payload)))
    await wait_until(reported(leader))

    assert leader.outcomes() == [RunCancelled()]


async def test_a_repeated_grant_is_reported_again_and_not_done_again() -> None:
    blobs, leader = MemoryBlobs(), MemoryLeader()
    executor = holder(FakeEngine(), leader, blobs)
    orders = order(to_split(await stored(blobs, TEXT)))
    executor.take(orders)
    await wait_until(reported(leader))

    executor.take(orders)
    await wait_until(reported(leader, 2))

    assert leader.reports[0] == leader.reports[1]


async def test_draining_takes_no_cut() -> None:
    blobs, leader = MemoryBlobs(), MemoryLeader()
    executor = holder(FakeEngine(), leader, blobs)
    await executor.drain(0.0)

    assert executor.take(order(to_split(await stored(blobs, TEXT)))) == receipt()


@settings(max_examples=25, deadline=None)
@given(words=st.lists(st.text("abcß", min_size=1, max_size=20), min_size=1, max_size=200))
def test_whatever_is_cut_is_there_again(words: list[str]) -> None:
    data = " ".join(words).encode()

    async def parts() -> list[bytes]:
        blobs = MemoryBlobs()
        outcome = await outcome_of(blobs, to_split(await stored(blobs, data), max_bytes=300))
        assert isinstance(outcome, RunSplit)
        return [await blobs.get("acme", part) for part in outcome.parts]

    assert b"".join(asyncio.run(parts())) == data
