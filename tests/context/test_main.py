"""The context service as a process of its own, beside the keeper of another log."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from pointsman.context.__main__ import SERVICE
from pointsman.context.settings import Settings
from pointsman.contracts import subjects
from pointsman.contracts.commands import Done, decode_answers
from pointsman.contracts.context import OneProject, ProjectState, RecordDecision
from pointsman.contracts.queries import LogRow
from pointsman.eventstore import SqliteEventStore
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import provision
from pointsman.testing.waiting import wait_until


@asynccontextmanager
async def context_process(url: str, data: Path) -> AsyncGenerator[Process]:
    variables = {"POINTSMAN_NATS_URL": url, "POINTSMAN_DATA": str(data)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.context", env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def nc(nats_url: str) -> AsyncGenerator[Client]:
    """A connection with somebody who keeps an empty log behind it."""
    connection = await nats_client(nats_url)

    async def log(message: Msg) -> None:
        await message.respond(msgspec.json.encode(LogRow("a-life", 0)))

    async def events(message: Msg) -> None:
        await message.respond(b"[]")

    await connection.subscribe(subjects.query("scheduler", "log"), cb=log)
    await connection.subscribe(subjects.query("scheduler", "events"), cb=events)
    await connection.flush()
    yield connection
    await connection.close()


async def said(process: Process, word: str) -> str:
    """The first line of its log with a word in it."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        async for line in process.stdout:
            if word in line.decode():
                return line.decode()
    raise AssertionError(f"it never said {word}")


async def project(nc: Client) -> ProjectState | None:
    question = msgspec.json.encode(OneProject(tenant="acme", name="plan", texts=True))
    try:
        reply = await nc.request(subjects.query("context", "project"), question, timeout=2)
    except NoRespondersError:
        return None
    return msgspec.json.decode(reply.data, type=ProjectState)


async def test_it_waits_for_the_feed_answers_ends_when_told_and_remembers(
    nc: Client, nats_url: str, tmp_path: Path
) -> None:
    command = RecordDecision(
        command_id="1", tenant="acme", project="plan", title="Use NATS", reason="Fast.", by="kim"
    )
    async with context_process(nats_url, tmp_path / "data") as process:
        waiting = await said(process, "feed_awaited")
        await provision(nc)
        await said(process, '"started"')

        subject = subjects.command("context", "record_decision")
        reply = await nc.request(subject, msgspec.json.encode([command]), timeout=5)
        process.send_signal(signal.SIGTERM)
        status = await process.wait()

    async with context_process(nats_url, tmp_path / "data") as process:

        async def answers() -> bool:
            return await project(nc) is not None

        await wait_until(answers, timeout_s=30)
        remembered = await project(nc)

    assert "PM_FEED" in waiting or "NotFound" in waiting
    assert [type(answer) for answer in decode_answers(reply.data)] == [Done]
    assert status == 0
    assert remembered is not None
    assert [decision.text for decision in remembered.decisions] == ["Fast."]


async def test_a_log_that_somebody_else_writes_is_refused_in_words(
    nats_url: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    async with SqliteEventStore(data / "log.db"), context_process(nats_url, data) as process:
        line = await said(process, "log_in_use")
        status = await process.wait()

    assert str(data) in line
    assert status == 1


async def test_it_ends_and_starts_again_in_one_process_on_one_log(
    nc: Client, nats_url: str, tmp_path: Path
) -> None:
    await provision(nc)
    settings = Settings(data=tmp_path / "data", nats_url=nats_url)
    settings.data.mkdir()
    command = RecordDecision(
        command_id="1", tenant="acme", project="plan", title="Use NATS", reason="Fast.", by="kim"
    )
    async with SqliteEventStore(settings.data / "log.db") as store:
        for _ in range(2):
            scope = ServiceScope("context")
            await SERVICE.start(scope, settings, store)
            subject = subjects.command("context", "record_decision")
            await nc.request(subject, msgspec.json.encode([command]), timeout=5)

            shown = await project(nc)
            await scope.close()

            assert shown is not None
            assert len(shown.decisions) == 1
            assert await project(nc) is None
            assert scope.failure is None
