"""Whatever is taken away while a stack stands still comes back from its log."""

import asyncio
import json
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
import pytest
from nats.aio.client import Client

from pointsman.cli.stack.accounts import SCHEDULER, producer
from pointsman.contracts import subjects
from pointsman.contracts.commands import CancelTask, RedriveDeadLetter
from pointsman.contracts.history import judge
from pointsman.contracts.queries import DeadLetterRow, ListDeadLetters, ListTasks, TaskRow
from pointsman.contracts.submission import SUBMIT_TYPE
from pointsman.contracts.task_states import TaskState
from pointsman.testing import wait_until
from tests.e2e.live_stack import (
    COMPLETED,
    TENANT,
    LiveStack,
    followed_log,
    identity_task,
    live_stack,
    logged_in,
    show,
)
from tests.e2e.published import feed_life, feed_of, public, public_positions

TASKS: Final = 30
DELAY_MS: Final = 150
MOST: Final = 1000

pytestmark = [pytest.mark.triton, pytest.mark.usefixtures("triton_supported")]


async def run_and_stop_half_way(data: Path) -> str:
    """Stop a stack that still has tasks in its queue; gives the life of its feed."""
    # One task per call: all of them fit into two calls otherwise.
    async with live_stack(data, max_batch=1) as stack, logged_in(stack.record, SCHEDULER) as nc:
        commands = (identity_task(DELAY_MS) for _ in range(TASKS))
        tasks = await asyncio.gather(*(stack.submit(command) for command in commands))
        await stack.log.wait_for(lambda: any(stack.log.ended([task]) for task in tasks))
        return await feed_life(nc)


@pytest.mark.slow
@pytest.mark.parametrize("wiped", [False, True], ids=["bus kept", "bus wiped"])
async def test_a_stopped_stack_goes_on_with_its_queue_and_its_feed(
    tmp_path: Path, *, wiped: bool
) -> None:
    data = tmp_path / "data"
    life = await run_and_stop_half_way(data)
    async with followed_log(data) as log:
        left = judge(log.events).lost
        stopped_at = log.events[-1].position
    if wiped:
        shutil.rmtree(data / "nats")

    started_at = time.time()
    async with live_stack(data) as stack, logged_in(stack.record, SCHEDULER) as nc:
        await stack.log.wait_for_ends(left)
        events = stack.log.events
        await wait_until(lambda: published_to(stack, nc, events[-1].position))
        feed, evt, next_life = await feed_of(nc), await public_positions(nc), await feed_life(nc)

    verdict = judge(events)
    resumed = [e.time_us / 1e6 - started_at for e in events[stopped_at:] if e.type == COMPLETED]
    show(
        test="rebuild",
        wiped=wiped,
        tasks=verdict.accepted,
        open_when_stopped=len(left),
        completed=verdict.ended.get(TaskState.COMPLETED, 0),
        events=verdict.events,
        feed_events=len(feed),
        public_events=len(evt),
        first_completed_after_start_s=round(min(resumed), 2),
    )
    assert left, "the stack was to be stopped with tasks in its queue"
    assert verdict.clean, verdict.faults()
    assert verdict.ended == {TaskState.COMPLETED: TASKS}
    assert (next_life != life) is wiped
    # A canary may have been recorded since the log was read.
    assert feed[: len(events)] == events
    assert [event.position for event in feed] == list(range(1, len(feed) + 1))
    assert [position for position in evt if position <= len(events)] == public(events)


async def published_to(stack: LiveStack, nc: Client, position: int) -> bool:
    feed = await feed_of(nc)
    evt = await public_positions(nc)
    return bool(feed) and feed[-1].position >= position and evt == public(stack.log.events)


async def leave_every_kind_of_row(stack: LiveStack) -> None:
    """Tasks that completed, failed, expired and were cancelled; dead letters, one redriven."""
    log, client = stack.log, stack.client
    good = await stack.submit(identity_task())
    bad = await stack.submit(identity_task(delay_ms=-1))
    late = await stack.submit(msgspec.structs.replace(identity_task(), deadline=time.time() - 1))
    long = await stack.submit(identity_task(delay_ms=20_000))
    await log.wait_for(lambda: bool(log.running([long])))
    await client.cancel(CancelTask(command_id=str(uuid4()), task=long, by="test", reason="tried"))
    async with logged_in(stack.record, producer(TENANT)) as nc:
        for body in (b"{", b"[]"):
            await nc.jetstream().publish(subjects.inbox(TENANT), body)
        for family in ("identity", "embed"):
            await nc.jetstream().publish(subjects.inbox(TENANT), event("used-twice", family))
    await log.wait_for_ends([good, bad, late, long])
    await wait_until(lambda: dead_letters_number(stack, 3))
    reused = next(row for row in await dead_letters(stack) if row.code == "id_reused")
    await client.redrive(
        RedriveDeadLetter(command_id=str(uuid4()), dead_letter=reused.dead_letter, by="test")
    )
    await log.wait_for(lambda: not judge(log.events).lost)


def event(event_id: str, family: str) -> bytes:
    data = {"family": family, "text": "a text"}
    attributes = {"specversion": "1.0", "id": event_id, "source": "/test", "type": SUBMIT_TYPE}
    return json.dumps({**attributes, "data": data}).encode()


async def task_rows(stack: LiveStack) -> list[TaskRow]:
    return await stack.client.ask("tasks", ListTasks(limit=MOST), list[TaskRow])


async def dead_letters(stack: LiveStack) -> list[DeadLetterRow]:
    return await stack.client.ask("dead_letters", ListDeadLetters(limit=MOST), list[DeadLetterRow])


async def dead_letters_number(stack: LiveStack, count: int) -> bool:
    return len(await dead_letters(stack)) == count


@pytest.mark.slow
async def test_views_that_were_dropped_are_rebuilt_equal(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with live_stack(data) as stack:
        await leave_every_kind_of_row(stack)
        before = await task_rows(stack), await dead_letters(stack)
    assert {path.name for path in (data / "views").iterdir()} >= {"tasks.db", "dead_letters.db"}

    shutil.rmtree(data / "views")
    # Questions are the scheduler's alone, so the stand-in for Triton is enough for them.
    async with live_stack(data, noop=True) as stack:
        after = await task_rows(stack), await dead_letters(stack)

    tasks, letters = after
    show(
        test="views",
        tasks=len(tasks),
        states=dict(Counter(row.state for row in tasks)),
        dead_letters=dict(Counter(row.code for row in letters)),
        equal=after == before,
    )
    assert after == before
    assert {row.state for row in tasks} == {"completed", "failed", "expired", "cancelled"}
    assert [row.code for row in letters if row.redriven_task] == ["id_reused"]
