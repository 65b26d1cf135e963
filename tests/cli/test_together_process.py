"""`python -m pointsman.cli.together` as a process of its own on a real nats-server."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.cli.stack.accounts import CLI, FEEDBACK, SCHEDULER, Account, nats_users, new_accounts
from pointsman.cli.stack.plan import DEFAULT_TENANT, EXECUTOR, POOL
from pointsman.contracts import subjects
from pointsman.contracts.queries import AskPool, PoolRow
from pointsman.eventstore import Append, SqliteEventStore
from pointsman.runtime.nats_client import nats_client
from pointsman.testing.servers import PROJECT, nats_server
from pointsman.testing.waiting import wait_until
from tests.cli.command_line import environment
from tests.support.task_events import accepted, stream_of

REGISTRY = PROJECT / "infra" / "triton" / "registry.toml"
_STARTED_S = 30.0


@dataclass(frozen=True)
class Place:
    """A bus with logins, and a data directory."""

    url: str
    accounts: dict[str, Account]
    data: Path

    @asynccontextmanager
    async def services(self, names: str = SCHEDULER, **more: str) -> AsyncGenerator[Process]:
        variables = {
            "POINTSMAN_NATS_URL": self.url,
            "POINTSMAN_DATA": str(self.data),
            "POINTSMAN_REGISTRY": str(REGISTRY),
            "POINTSMAN_TOGETHER_SERVICES": names,
            "POINTSMAN_TOGETHER_PASSWORDS": json.dumps(
                {SCHEDULER: self.accounts[SCHEDULER].password}
            ),
            **more,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pointsman.cli.together",
            env=environment() | variables, stderr=PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    @asynccontextmanager
    async def asking(self) -> AsyncGenerator[Client]:
        cli = self.accounts[CLI]
        nc = await nats_client(
            self.url, user=cli.user, password=cli.password, inbox_prefix=cli.inbox_prefix
        )
        try:
            yield nc
        finally:
            await nc.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    accounts = new_accounts([EXECUTOR], [DEFAULT_TENANT])
    users = nats_users(accounts, pool=POOL, executors=[EXECUTOR], tenants=[DEFAULT_TENANT])
    async with nats_server(tmp_path, users=users) as server:
        yield Place(server.url, accounts, tmp_path / "data")


async def pool_row(nc: Client) -> PoolRow | None:
    """What the scheduler says of its pool; None while nobody answers."""
    try:
        reply = await nc.request(
            subjects.query(SCHEDULER, "pool"), msgspec.json.encode(AskPool()), timeout=2
        )
    except NatsError:
        return None
    return msgspec.json.decode(reply.data, type=PoolRow)


async def leading(nc: Client, epoch: int) -> PoolRow:
    """Wait until the pool is led in an epoch."""
    rows: list[PoolRow] = []

    async def led() -> bool:
        row = await pool_row(nc)
        if row is not None and row.epoch == epoch:
            rows.append(row)
        return bool(rows)

    await wait_until(led, timeout_s=30, message=f"the pool is led in epoch {epoch}")
    return rows[0]


async def last_words(process: Process) -> dict[str, Any]:
    """The last line of the process's log, once it has ended."""
    _, log = await process.communicate()
    return cast("dict[str, Any]", json.loads(log.splitlines()[-1]))


async def line_of(process: Process, event: str) -> dict[str, Any]:
    """The first line of the process's log with this name."""
    assert process.stderr is not None
    async with asyncio.timeout(_STARTED_S):
        while True:
            line = cast("dict[str, Any]", json.loads(await process.stderr.readline()))
            if line["event"] == event:
                return line


async def newer_release(place: Place, topic: str) -> None:
    """Leave an event in the log that this release does not know."""
    events = stream_of(uuid4(), [accepted()])
    place.data.mkdir()
    async with SqliteEventStore(place.data / "log.db") as store:
        await store.append(Append([msgspec.structs.replace(each, topic=topic) for each in events]))


async def test_it_leads_answers_and_ends_when_told(place: Place) -> None:
    async with place.services() as process, place.asking() as nc:
        row = await leading(nc, 1)

        process.send_signal(signal.SIGTERM)
        words = await last_words(process)

    assert (row.pool, row.pid) == (POOL, process.pid)
    assert (process.returncode, words["event"]) == (0, "stopped")


async def test_a_killed_process_goes_on_from_its_log(place: Place) -> None:
    async with place.asking() as nc:
        async with place.services() as process:
            before = await leading(nc, 1)
            process.kill()
            await process.wait()

        async with place.services():
            after = await leading(nc, 2)

    assert after.position > before.position


async def test_an_unknown_service_ends_it_with_what_to_do(place: Place) -> None:
    async with place.services("scheduler,sheduler") as process:
        words = await last_words(process)

    assert process.returncode == 1
    assert words["code"] == "unknown_service"
    assert "sheduler" in words["error"]
    assert "POINTSMAN_TOGETHER_SERVICES" in words["next_step"]


async def test_a_log_that_another_process_appends_to_is_refused(place: Place) -> None:
    async with place.services() as first, place.asking() as nc:
        await leading(nc, 1)

        async with place.services() as second:
            words = await last_words(second)

        assert (second.returncode, words["code"]) == (1, "log_in_use")
        assert str(first.pid) in words["error"]
        assert first.returncode is None


async def test_it_ends_with_its_parent(place: Place) -> None:
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.cli.together", pass_fds=[ours], stderr=PIPE,
        env=environment() | {
            "POINTSMAN_NATS_URL": place.url,
            "POINTSMAN_DATA": str(place.data),
            "POINTSMAN_REGISTRY": str(REGISTRY),
            "POINTSMAN_PARENT_FD": str(ours),
            "POINTSMAN_TOGETHER_PASSWORDS": json.dumps(
                {SCHEDULER: place.accounts[SCHEDULER].password}
            ),
        },
    )  # fmt: skip
    os.close(ours)
    async with place.asking() as nc:
        await leading(nc, 1)

        os.close(theirs)

        words = await last_words(process)
    assert (process.returncode, words["event"]) == (0, "stopped")


async def test_a_log_of_a_newer_release_is_not_led_and_says_what_to_do(place: Place) -> None:
    await newer_release(place, "task.accepted.v2")

    async with place.services() as process:
        words = await last_words(process)

    assert (process.returncode, words["code"]) == (1, "newer_event")
    assert "task.accepted.v2 at position 1" in words["error"]
    assert "Upgrade Pointsman" in words["next_step"]


async def test_a_service_whose_own_events_are_newer_stops_alone(place: Place) -> None:
    await newer_release(place, "feedback.given.v2")
    passwords = {name: place.accounts[name].password for name in (SCHEDULER, FEEDBACK)}
    both = f"{SCHEDULER},{FEEDBACK}"

    async with (
        place.services(both, POINTSMAN_TOGETHER_PASSWORDS=json.dumps(passwords)) as process,
        place.asking() as nc,
    ):
        failed = await line_of(process, "service_failed")
        row = await leading(nc, 1)

    assert (failed["part"], failed["code"]) == (FEEDBACK, "newer_event")
    assert "feedback.given.v2 at position 1" in failed["error"]
    assert row.position > 1


async def test_a_version_that_this_release_cannot_write_is_refused(place: Place) -> None:
    async with place.services(POINTSMAN_WRITE_VERSIONS="task.granted.v9") as process:
        words = await last_words(process)

    assert (process.returncode, words["code"]) == (1, "version_not_known")
    assert "task.granted.v9" in words["error"]
    assert "Upgrade this service first" in words["next_step"]
