"""Blobs of open tasks are in use; everything else is swept in its time."""

import asyncio
import sqlite3
from contextlib import suppress

from pointsman.contracts.events import TaskCheckpointed
from pointsman.runtime.blob_rows import BlobKind
from pointsman.scheduler.leading.blob_keeping import keep_blobs
from pointsman.testing.waiting import wait_until
from tests.support.contents import RememberedContents
from tests.support.leading import World, scheduler
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    RESULT,
    A,
    accepted,
    attached,
    given,
    model,
    submission,
)


async def test_payloads_of_open_tasks_are_in_use_before_each_sweep() -> None:
    here = await scheduler(World())
    await here.submissions.submit(submission(), door="command")
    contents = RememberedContents(failure=sqlite3.OperationalError("disk I/O error"))
    keeping = asyncio.create_task(keep_blobs(here.pool, contents, every_s=0.001, first_s=0))

    await wait_until(lambda: contents.sweeps >= 2)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping

    (task,) = here.pool.tasks.values()
    assert contents.used == [("acme", task.accepted.payload)]


async def test_a_payload_is_stored_for_what_it_is_for() -> None:
    here = await scheduler(World())
    plain = submission(command_id="1", payload=b"plain")
    turn = submission(command_id="2", payload=b"turn", conversation="c-1")

    for task in (plain, turn):
        await here.submissions.submit(task, door="command")

    kinds = {
        task.accepted.message_id: here.blobs.kinds[task.accepted.payload.digest]
        for task in here.pool.tasks.values()
    }
    assert kinds == {"1": BlobKind.PAYLOAD, "2": BlobKind.KEPT}


async def test_where_an_open_task_stands_is_in_use() -> None:
    history = given(model(), attached(), (A, accepted()))
    history.round(NOON)
    standing = TaskCheckpointed(
        at=NOON + 1, applied_to=0, attempt=1, sequence=1, variant="fast", checkpoint=RESULT
    )
    history.append(A, standing)
    contents = RememberedContents()
    keeping = asyncio.create_task(keep_blobs(history.pool, contents, every_s=60, first_s=0))

    await wait_until(lambda: contents.sweeps >= 1)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping

    assert contents.used == [("acme", PAYLOAD), ("acme", RESULT)]
