"""Cancelling reaches the model: its process is free again long before the work would be over."""

import asyncio
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest

from pointsman.contracts.commands import CancelTask
from pointsman.contracts.history import judge
from pointsman.contracts.queries import OneTask, TaskRow
from pointsman.contracts.task_states import TaskState
from tests.e2e.live_stack import COMPLETED, GRANTED, LiveStack, identity_task, live_stack, show

DELAY_MS: Final = 20_000
SHORT_MS: Final = 1_000
SLOTS: Final = 2
"""As many as `identity` has processes: two delayed tasks leave none free."""

ACCEPTED: Final = "task.accepted.v1"
CANCELLED: Final = "task.cancelled.v1"


async def cancel(stack: LiveStack, task: UUID) -> None:
    await stack.client.cancel(
        CancelTask(command_id=str(uuid4()), task=task, by="test", reason="changed its mind")
    )


def at(stack: LiveStack, task: UUID, topic: str) -> float:
    """When an event of a task was recorded, in seconds."""
    (event,) = [event for event in stack.log.of(task) if event.type == topic]
    return event.time_us / 1e6


@pytest.mark.triton
@pytest.mark.slow
@pytest.mark.usefixtures("triton_supported")
async def test_a_cancelled_call_gives_its_slot_to_the_next_task(tmp_path: Path) -> None:
    async with live_stack(tmp_path / "data", slots=SLOTS) as stack:
        log = stack.log
        running = [await stack.submit(identity_task(DELAY_MS)) for _ in range(SLOTS)]
        await log.wait_for(lambda: len(log.running(running)) == SLOTS)
        unwanted, following = [await stack.submit(identity_task()) for _ in range(2)]

        await cancel(stack, unwanted)
        await log.wait_for_ends([unwanted])
        assert log.running(running) == running
        for task in running:
            await cancel(stack, task)
        await log.wait_for_ends([following])
        short = (stack.submit(identity_task(SHORT_MS)) for _ in range(SLOTS))
        again = await asyncio.gather(*short)
        await log.wait_for_ends(again)
        row = await stack.client.ask("task", OneTask(task=running[0]), TaskRow)

    verdict = judge(log.events)
    over_at = min(at(stack, task, GRANTED) for task in running) + DELAY_MS / 1e3
    freed_s = at(stack, following, COMPLETED) - at(stack, running[0], CANCELLED)
    show(
        test="cancel",
        delay_s=DELAY_MS / 1e3,
        cancelled=verdict.ended.get(TaskState.CANCELLED, 0),
        next_completed_after_s=round(freed_s, 3),
        faults=verdict.faults(),
    )
    assert verdict.clean, verdict.faults()
    assert log.topics_of(unwanted) == [ACCEPTED, CANCELLED]
    for task in running:
        assert log.topics_of(task) == [ACCEPTED, GRANTED, CANCELLED]
    assert (row.state, row.result) == ("cancelled", None)
    ends = [at(stack, task, COMPLETED) for task in (following, *again)]
    assert max(ends) < over_at
    # Side by side: had one process not been told, the other would have run them in turn.
    assert abs(ends[1] - ends[2]) < SHORT_MS / 1e3
