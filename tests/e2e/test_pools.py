"""Two pools on one log, each with its own scheduler and executor; one scheduler is killed."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import pytest

from pointsman.cli.client import StackClient
from pointsman.cli.group import ask_owner, ask_tasks
from pointsman.cli.stack.accounts import CLI, WATCHERS
from pointsman.cli.stack.plan import POOL
from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.events import TaskAccepted, TaskCompleted
from pointsman.contracts.queries import ListTasks, Why
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.testing import wait_until
from tests.e2e.desk import TASK
from tests.e2e.live_stack import TENANT, logged_in, show
from tests.e2e.sender import STRUCTURED, new_id, sender, structured
from tests.e2e.up import RunningUp, running_up

SECOND: Final = "pool-2"
VICTIM: Final = "scheduler-pool-2"
AT_ONCE: Final = 40
MESSAGES: Final = 30

_PATIENCE_S: Final = 60.0
_LONG_S: Final = 4.0
"""Longer than a scheduler takes to come back, so that it has to take up what still runs."""


def a_task(run_s: float = 0.0) -> SubmitTask:
    return SubmitTask(
        command_id=str(uuid4()),
        tenant=TENANT,
        family="identity",
        payload=b"some bytes",
        parameters={"run_s": str(run_s)} if run_s else None,
    )


class Desk:
    """Hands in tasks to the group, and reads the log beside it."""

    def __init__(self, client: StackClient, store: PostgresEventStore) -> None:
        self.client = client
        self.tasks: list[UUID] = []
        self._store = store

    async def hand_in(self, count: int) -> None:
        answers = await asyncio.gather(*(self.client.submit(a_task()) for _ in range(count)))
        self.tasks += [answer.task for answer in answers]

    async def into(self, pool: str, count: int, *, run_s: float) -> list[UUID]:
        tasks = (self.client.submit(a_task(run_s), pool=pool) for _ in range(count))
        found = [answer.task for answer in await asyncio.gather(*tasks)]
        self.tasks += found
        return found

    async def log(self) -> list[Recorded]:
        return list(await self._store.read(0, limit=100_000))

    async def completed(self) -> Counter[UUID]:
        return Counter(e.stream for e in await self.log() if e.type == "task.completed.v1")

    async def all_completed(self) -> bool:
        return set(await self.completed()) >= set(self.tasks)


async def send_messages(up: RunningUp, count: int) -> list[str]:
    """As another system does; returns when all are accepted."""
    async with sender(up.record, TENANT) as one:
        ids = [new_id() for _ in range(count)]
        await asyncio.gather(*(one.send(structured(each, TASK), STRUCTURED) for each in ids))
        await wait_until(lambda: len(one.answers) >= count, timeout_s=_PATIENCE_S)
    return ids


@pytest.mark.slow
async def test_one_pool_goes_on_while_the_other_has_no_scheduler_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    left_out = [word for name in WATCHERS for word in ("--without", name)]
    arguments = ("--processes", "--pools", "2", "--noop", "--tenant", TENANT, *left_out)
    with running_up(tmp_path / "data", *arguments) as up:
        store = await PostgresEventStore.open(up.record.database_url)
        async with logged_in(up.record, CLI) as nc:
            desk = Desk(StackClient(nc, up.record), store)
            await desk.hand_in(AT_ONCE)
            messages = await send_messages(up, MESSAGES)
            long = await desk.into(SECOND, 3, run_s=_LONG_S)
            before = up.record.parts[VICTIM]
            os.kill(before.pid, signal.SIGKILL)

            await desk.hand_in(AT_ONCE)
            meanwhile = Counter(await pools_of(desk, desk.tasks[-AT_ONCE:]))
            await wait_until(
                lambda: up.record.parts[VICTIM].starts > before.starts, timeout_s=_PATIENCE_S
            )
            await wait_until(desk.all_completed, timeout_s=_PATIENCE_S)
            why = await ask_owner(desk.client, "why", desk.tasks[0], Why)
            rows = await ask_tasks(desk.client, ListTasks(limit=1000))
            ended = await desk.completed()
            log = await desk.log()
        await store.close()

    accepted = [event for event in decoded(log) if isinstance(event, TaskAccepted)]
    completed = [event for event in decoded(log) if isinstance(event, TaskCompleted)]
    by_pool = Counter(event.pool for event in accepted)
    show(pools=dict(by_pool), while_one_was_away=dict(meanwhile))
    assert len(accepted) == len(completed) == len(desk.tasks) + MESSAGES
    assert set(ended.values()) == {1}
    assert {event.message_id for event in accepted} >= set(messages)
    assert set(long) <= set(ended)
    assert min(by_pool[POOL], by_pool[SECOND]) > len(accepted) // 5
    assert meanwhile[POOL] > 0
    assert {row.pool for row in rows} == {POOL, SECOND}
    assert any("of two drawn out of 2" in sentence for sentence in why.sentences)


async def pools_of(desk: Desk, tasks: list[UUID]) -> list[str]:
    wanted = set(tasks)
    codec = EventCodec()
    found = (e for e in await desk.log() if e.stream in wanted and e.type == "task.accepted.v1")
    events = (codec.decode(each.type, bytes(each.data)) for each in found)
    return [event.pool for event in events if isinstance(event, TaskAccepted)]


def decoded(log: list[Recorded]) -> list[object]:
    codec = EventCodec()
    return [codec.decode(event.type, bytes(event.data)) for event in log]
