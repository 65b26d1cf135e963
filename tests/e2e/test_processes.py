"""`pointsman up --processes --standby`: each part is killed once, and nothing is lost."""

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client

from pointsman.cli.client import StackClient
from pointsman.cli.failures import ExitCode
from pointsman.cli.stack.accounts import CLI, SCHEDULER, WATCHERS
from pointsman.cli.stack.plan import EXECUTOR, POOL, POSTGRES, STANDBY
from pointsman.cli.stack.supervisor import NATS
from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    Duplicate,
    NotLeader,
    SubmitTask,
    decode_answers,
)
from pointsman.contracts.queries import ListTasks, TaskRow
from pointsman.runtime.packing import PackedRequests
from pointsman.testing import wait_until
from tests.e2e.live_stack import TENANT, logged_in
from tests.e2e.up import RunningUp, gone, running_up

KILLS: Final = ((SCHEDULER,), WATCHERS, (EXECUTOR,), (POSTGRES,), (NATS,), (STANDBY,))
"""What dies together."""
PARTS: Final = {part for parts in KILLS for part in parts}
TASKS_PER_KILL: Final = 5
TASKS: Final = TASKS_PER_KILL * len(KILLS)

_PATIENCE_S: Final = 60.0


class Desk:
    """Hands in tasks and asks how they are, through every outage."""

    def __init__(self, nc: Client, up: RunningUp) -> None:
        self.tasks: list[UUID] = []
        self._client = StackClient(nc, up.record)
        self._requests: PackedRequests[SubmitTask, Answer] = PackedRequests(
            nc,
            subjects.command(SCHEDULER, "submit", POOL),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            patience_s=_PATIENCE_S,
        )

    async def hand_in(self, count: int) -> None:
        answers = await asyncio.gather(*(self._requests.ask(_task()) for _ in range(count)))
        # Whose first answer was lost with a part asked again.
        taken = (answer for answer in answers if isinstance(answer, Accepted | Duplicate))
        self.tasks += [answer.task for answer in taken]

    async def completed(self) -> set[UUID]:
        rows = await self._client.ask("tasks", ListTasks(limit=1000), list[TaskRow])
        return {row.task for row in rows if row.state == "completed"}

    async def all_completed(self) -> bool:
        return await self.completed() >= set(self.tasks)

    async def close(self) -> None:
        await self._requests.stop()


def _task() -> SubmitTask:
    name = str(uuid4())
    return SubmitTask(command_id=name, tenant=TENANT, family="identity", payload=name.encode())


async def kill_under_load(up: RunningUp, desk: Desk, parts: Iterable[str]) -> None:
    before = {part: up.record.parts[part] for part in parts}
    handing_in = asyncio.ensure_future(desk.hand_in(TASKS_PER_KILL))
    for part in before.values():
        os.kill(part.pid, signal.SIGKILL)

    def back() -> bool:
        now = up.record.parts
        return all(now[name].starts > part.starts for name, part in before.items())

    await wait_until(back, timeout_s=20, message="what was killed runs again")
    await handing_in


@pytest.mark.slow
async def test_every_part_is_killed_once_and_no_task_is_lost(tmp_path: Path) -> None:
    arguments = ("--processes", "--standby", "--noop", "--tenant", TENANT)
    with running_up(tmp_path / "data", *arguments) as up:
        assert set(up.record.parts) == PARTS
        async with logged_in(up.record, CLI) as nc:
            desk = Desk(nc, up)
            for parts in KILLS:
                await kill_under_load(up, desk, parts)
            await wait_until(desk.all_completed, timeout_s=30, message="every task completed")
            completed = await desk.completed()
            await desk.close()
        processes = up.processes()

        status = up.interrupt()

    assert completed == set(desk.tasks)
    assert len(completed) == TASKS
    assert status == ExitCode.OK
    assert gone(processes)
    assert not (tmp_path / "data" / "stack.json").exists()
