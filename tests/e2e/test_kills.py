"""Every part is killed three times while it works, and nothing is lost or done twice."""

import asyncio
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

import pytest

from pointsman.cli.stack.plan import EXECUTOR, SERVICES
from pointsman.cli.stack.supervisor import NATS
from pointsman.contracts.events import TaskAccepted, TaskCompleted
from pointsman.contracts.history import judge
from pointsman.contracts.task_states import TaskState
from pointsman.contracts.topics import EventCodec
from tests.e2e.live_stack import (
    COMPLETED,
    GRANTED,
    FollowedLog,
    LiveStack,
    identity_task,
    live_stack,
    show,
)

pytestmark = pytest.mark.alone

PARTS: Final = (EXECUTOR, SERVICES, NATS, "triton-0")
ROUNDS: Final = 3
BEFORE: Final = 15
DURING: Final = 10
TASKS: Final = ROUNDS * len(PARTS) * (BEFORE + DURING)

DELAY_MS: Final = 100
"""Two model processes work for 0.75 s on what stands before the kill."""
PROMISE_S: Final = 20.0
"""Queued work runs again after any kill."""


async def submit(stack: LiveStack, count: int) -> list[UUID]:
    commands = (identity_task(DELAY_MS) for _ in range(count))
    return list(await asyncio.gather(*(stack.submit(command) for command in commands)))


async def kill_under_load(stack: LiveStack, part: str) -> float:
    """Kill a part in the middle of 25 tasks; gives the seconds until new grants bear fruit."""
    tasks = await submit(stack, BEFORE)
    await stack.log.wait_for(lambda: bool(stack.log.running(tasks)), message="work in flight")

    killed_at = time.time()
    stack.supervisor.kill(part)
    tasks += await submit(stack, DURING)
    await stack.log.wait_for_ends(tasks)

    return recovery_s(stack.log, tasks, killed_at)


def recovery_s(log: FollowedLog, tasks: list[UUID], killed_at: float) -> float:
    """From the kill to the first completion of an attempt that was granted after it."""
    recovered: list[float] = []
    for task in tasks:
        granted_at = 0.0
        for event in log.of(task):
            if event.type == GRANTED:
                granted_at = event.time_us / 1e6
            elif event.type == COMPLETED and granted_at > killed_at:
                recovered.append(event.time_us / 1e6 - killed_at)
    return min(recovered)


def wrong_results(log: FollowedLog) -> list[UUID]:
    """Tasks whose result is not their payload, which is what `identity` gives back."""
    codec, payloads, wrong = EventCodec(), dict[UUID, str](), list[UUID]()
    for event in log.events:
        if event.type.startswith("task."):
            match codec.decode(event.type, bytes(event.data)):
                case TaskAccepted(payload=payload):
                    payloads[event.stream] = payload.digest
                case TaskCompleted(result=result):
                    if result.digest != payloads[event.stream]:
                        wrong.append(event.stream)
                case _:
                    pass
    return wrong


@pytest.mark.triton
@pytest.mark.slow
@pytest.mark.usefixtures("triton_supported")
async def test_no_kill_of_any_part_loses_a_task_or_gives_a_second_result(tmp_path: Path) -> None:
    began = time.monotonic()
    recoveries: defaultdict[str, list[float]] = defaultdict(list)

    async with live_stack(tmp_path / "data") as stack:
        for _ in range(ROUNDS):
            for part in PARTS:
                recoveries[part].append(await kill_under_load(stack, part))
        starts = {name: part.starts for name, part in stack.record.parts.items()}
        log = stack.log

    verdict = judge(log.events)
    topics = Counter(event.type for event in log.events)
    show(
        test="kills",
        tasks=verdict.accepted,
        completed=verdict.ended.get(TaskState.COMPLETED, 0),
        lost=len(verdict.lost),
        duplicate_results=len(verdict.duplicate_results),
        faults=verdict.faults(),
        events=verdict.events,
        attempts_lost=topics["task.attempt_lost.v1"],
        recovery_s={
            part: {"max": round(max(times), 2), "median": round(median(times), 2)}
            for part, times in recoveries.items()
        },
        seconds=round(time.monotonic() - began, 1),
    )
    assert verdict.clean, verdict.faults()
    assert verdict.accepted == TASKS
    assert verdict.ended == {TaskState.COMPLETED: TASKS}
    assert wrong_results(log) == []
    assert starts == dict.fromkeys(stack.record.parts, ROUNDS + 1)
    # The kills of those who run calls have met some.
    assert topics["task.attempt_lost.v1"] >= 2 * ROUNDS
    assert max(max(times) for times in recoveries.values()) <= PROMISE_S
