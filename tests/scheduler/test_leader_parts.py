"""A leader has inputs cut and results merged: recorded together, then sent, then cleaned up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from uuid import UUID

import msgspec
import pytest

from pointsman.contracts.commands import Accepted, CancelTask, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskCancelled, TaskCompleted
from pointsman.contracts.leases import AttemptReport, Grant, Lease, Outcome, Renewal, RunCompleted
from pointsman.contracts.message import Degradation
from pointsman.contracts.parts import Merge, MergeWork, PartResult, PartsOutcome, SplitWork
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.leading.blob_keeping import keep_blobs
from pointsman.testing.waiting import wait_until
from tests.support.contents import RememberedContents
from tests.support.leading import Scheduler, World, leading
from tests.support.scheduling import RESULT, submission
from tests.support.splitting import LIMIT, limited, merged, parts_of

RAN = RunCompleted(result=RESULT, run_s=0.25)


@pytest.fixture
async def here() -> AsyncGenerator[Scheduler]:
    async with leading(World(), slots=3) as here:
        stream = stream_id("model", "fast")
        known = Decided(stream, here.pool.version_of(stream), (limited(),))
        await here.log.record(known)
        yield here


async def submitted(here: Scheduler, size: int = 5 * LIMIT) -> UUID:
    task = msgspec.structs.replace(submission(payload=b"x" * size), degradation=Degradation.SPLIT)
    answer = await here.submissions.submit(task, door="command")
    assert isinstance(answer, Accepted)
    return answer.task


async def sent(here: Scheduler, count: int) -> Grant:
    await wait_until(lambda: len(here.orders.grants) >= count)
    return here.orders.grants[count - 1]


async def told(here: Scheduler, grant: Grant, outcome: Outcome) -> str:
    answer = await here.leader.report(
        AttemptReport(
            executor="executor-1",
            incarnation="first",
            device=grant.device,
            task=grant.task,
            attempt=grant.attempt,
            outcome=outcome,
        )
    )
    return answer.status


async def cut(here: Scheduler) -> tuple[UUID, list[Grant]]:
    """A whole whose two parts have been granted."""
    whole = await submitted(here)
    assert await told(here, await sent(here, 1), parts_of(2)) == "recorded"
    await sent(here, 3)
    return whole, here.orders.grants[1:3]


async def test_an_order_to_cut_says_how_and_names_no_device(here: Scheduler) -> None:
    whole = await submitted(here)

    grant = await sent(here, 1)

    assert (grant.task, grant.device, grant.variant) == (whole, "", "")
    assert grant.split == SplitWork(max_bytes=LIMIT)
    assert grant.payload.size == 5 * LIMIT


async def test_a_whole_is_cut_run_and_merged(here: Scheduler) -> None:
    whole, runs = await cut(here)
    statuses = [await told(here, run, RAN) for run in runs]
    merge = await sent(here, 4)

    assert await told(here, merge, merged()) == "recorded"

    assert statuses == ["recorded"] * 2
    assert [run.device for run in runs] == ["cpu-0"] * 2
    assert merge.task == whole
    results = tuple(PartResult(size=size, result=RESULT) for size in (90, 91))
    assert merge.merge == MergeWork(rule=Merge.JOIN, parts=results)
    ends = [event for event in await here.history() if isinstance(event, TaskCompleted)]
    assert ends[-1].parts == PartsOutcome(done=(1, 2))
    assert here.pool.tasks == {}


async def test_a_repeated_report_of_a_cut_accepts_nothing_twice(here: Scheduler) -> None:
    await submitted(here)
    grant = await sent(here, 1)

    statuses = [await told(here, grant, parts_of(2)) for _ in range(3)]

    assert statuses == ["recorded", "settled", "settled"]
    assert len(here.pool.tasks) == 3


async def test_the_runs_of_a_cancelled_whole_are_stopped(here: Scheduler) -> None:
    whole, runs = await cut(here)

    await here.leader.cancel(CancelTask(command_id="1", task=whole, by="ada"))
    await wait_until(lambda: here.pool.tasks == {})
    await wait_until(lambda: len(here.orders.cancels) == 2)

    assert {lease.task for lease in here.orders.cancels} == {run.task for run in runs}
    cancelled = [event for event in await here.history() if isinstance(event, TaskCancelled)]
    assert [event.by for event in cancelled] == ["ada", "pointsman", "pointsman"]


async def test_an_order_to_cut_that_was_lost_is_sent_again(here: Scheduler) -> None:
    whole = await submitted(here)
    await sent(here, 1)
    here.clock.passes(5)

    await here.leader.renewed(Renewal(pool="main", executor="executor-1", incarnation="first"))
    again = await sent(here, 2)

    assert again == here.orders.grants[0]
    assert Lease(task=whole, attempt=1) == Lease(task=again.task, attempt=again.attempt)


async def test_an_input_that_is_too_long_is_refused_before_it_is_stored(here: Scheduler) -> None:
    task = submission(payload=b"x" * (LIMIT + 1))

    answer = await here.submissions.submit(task, door="command")

    assert isinstance(answer, Rejected)
    assert answer.code == "input_too_large"
    assert here.blobs.kinds == {}


async def test_what_parts_were_made_of_and_gave_is_in_use_until_the_whole_ends(
    here: Scheduler,
) -> None:
    _, runs = await cut(here)
    await told(here, runs[0], RAN)
    contents = RememberedContents()

    keeping = asyncio.create_task(keep_blobs(here.pool, contents, every_s=60, first_s=0))
    await wait_until(lambda: contents.sweeps >= 1)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping

    used = {ref for _, ref in contents.used}
    assert {*parts_of(2).parts, RESULT} <= used
