"""Devices that load on demand: parts are killed while models come and go."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest

from pointsman.cli.stack.plan import EXECUTOR, SERVICES
from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.events import (
    DeviceAttached,
    DeviceMode,
    DeviceResumed,
    ResidencyChanged,
    ResidencyFailed,
    ResidencyGranted,
    TaskGranted,
)
from pointsman.contracts.history import judge
from pointsman.contracts.task_states import TaskState
from pointsman.contracts.topics import EventCodec
from tests.e2e.live_stack import TENANT, FollowedLog, LiveStack, live_stack, show

TEXTS: Final = {
    "classify": "Two threads wait for one lock.",
    "summarize": "Tides are raised by the moon. The sun helps a little. The rest is coastline.",
    "embed": "A lamp that only shines at noon.",
    "generate": "The first index",
}
KILLED: Final = (EXECUTOR, SERVICES, "triton-0")
EACH: Final = 3
WAIT_S: Final = 90.0


def task(family: str) -> SubmitTask:
    return SubmitTask(
        command_id=str(uuid4()), tenant=TENANT, family=family, payload=TEXTS[family].encode()
    )


async def kill_while_loading(stack: LiveStack, part: str) -> list[UUID]:
    """A part goes while a model is on its way; gives the tasks that wanted it."""
    before = len(changes(stack.log))
    wanted = [family for family in TEXTS for _ in range(EACH)]
    tasks = list(await asyncio.gather(*(stack.submit(task(family)) for family in wanted)))
    await stack.log.wait_for(lambda: len(changes(stack.log)) > before, message="a load")

    stack.supervisor.kill(part)
    await stack.log.wait_for_ends(tasks, timeout_s=WAIT_S)
    return tasks


def changes(log: FollowedLog) -> list[UUID]:
    return [event.id for event in log.events if event.type == "device.residency_granted.v1"]


def grants_without_a_model(log: FollowedLog) -> list[TaskGranted]:
    """What was granted to a device that, by the log, did not have the variant at that moment."""
    codec, resident, wrong = EventCodec(), dict[str, set[str]](), list[TaskGranted]()
    for recorded in log.events:
        if not recorded.type.startswith(("device.", "task.granted")):
            continue
        match codec.decode(recorded.type, bytes(recorded.data)):
            case TaskGranted() as grant if grant.variant not in resident[grant.device]:
                wrong.append(grant)
            case ResidencyGranted(device=device, unload=unload):
                resident[device] -= set(unload)
            case (
                DeviceAttached(device=device, residency=residency)
                | DeviceResumed(device=device, residency=tuple(residency))
                | ResidencyChanged(device=device, residency=residency)
                | ResidencyFailed(device=device, residency=tuple(residency))
            ):
                resident[device] = {loaded.variant for loaded in residency}
            case _:
                pass
    return wrong


@pytest.mark.triton
@pytest.mark.slow
@pytest.mark.usefixtures("triton_supported")
async def test_no_kill_during_a_load_loses_a_task_or_runs_one_without_its_model(
    tmp_path: Path,
) -> None:
    began, tasks = time.monotonic(), list[UUID]()

    async with live_stack(
        tmp_path / "data", devices=2, mode=DeviceMode.DEDICATED, slots=1, max_batch=1
    ) as stack:
        for part in KILLED:
            tasks += await kill_while_loading(stack, part)
        log = stack.log

    verdict = judge(log.events)
    topics = Counter(event.type for event in log.events)
    show(
        test="loading",
        tasks=verdict.accepted,
        completed=verdict.ended.get(TaskState.COMPLETED, 0),
        faults=verdict.faults(),
        loads=topics["device.residency_changed.v1"],
        failed_loads=topics["device.residency_failed.v1"],
        seconds=round(time.monotonic() - began, 1),
    )
    assert verdict.clean, verdict.faults()
    assert verdict.ended == {TaskState.COMPLETED: len(tasks)}
    assert grants_without_a_model(log) == []
