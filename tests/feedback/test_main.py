"""The feedback service as a process of its own, beside a log that others keep."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Done, decode_answers
from pointsman.contracts.feedback import FeedbackReport, GiveFeedback, ShowFeedback
from pointsman.contracts.message import Message
from pointsman.eventstore.sqlite import SqliteEventStore
from pointsman.feedback.__main__ import SERVICE
from pointsman.feedback.settings import Settings
from pointsman.runtime.servers import NatsUser
from pointsman.runtime.service import ServiceScope
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until
from tests.feedback.log_keeper import LogKeeper, log_keeper
from tests.feedback.world import BAD, GOOD, accepted, completed, failed, rating, registered

T = TypeVar("T")


@asynccontextmanager
async def process(url: str, data: Path, **settings: str) -> AsyncGenerator[Process]:
    variables = {
        "POINTSMAN_NATS_URL": url,
        "POINTSMAN_DATA": str(data),
        "POINTSMAN_FEEDBACK_MEASURE_EVERY_S": "0.25",
        **{f"POINTSMAN_{name.upper()}": value for name, value in settings.items()},
    }
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.feedback", env=os.environ | variables
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def ask(nc: Client, verb: str, question: Message, type_: type[T]) -> T | None:
    subject = subjects.query("feedback", verb)
    try:
        reply = await nc.request(subject, msgspec.json.encode(question), timeout=1)
    except (NatsError, TimeoutError):
        return None
    return msgspec.json.decode(reply.data, type=type_)


async def shown(nc: Client) -> FeedbackReport:
    return await ask(nc, "show", ShowFeedback(), FeedbackReport) or FeedbackReport()


async def give(nc: Client, *ratings: GiveFeedback) -> list[Answer]:
    subject = subjects.command("feedback", "give")
    reply = await nc.request(subject, msgspec.json.encode(ratings), timeout=10)
    return decode_answers(reply.data)


async def is_up(keeper: LogKeeper) -> bool:
    return bool((await shown(keeper.nc)).families)


async def test_it_waits_for_the_log_learns_and_ends_when_told(
    nats_url: str, tmp_path: Path
) -> None:
    data = tmp_path / "feedback"
    async with process(nats_url, data) as running, log_keeper(nats_url) as keeper:
        for model in (registered("large", 0.9), registered("small", 0.6)):
            await keeper.register(model)
        large = await keeper.task(accepted(), completed(variant="large"))
        small = await keeper.task(accepted(), completed(variant="small"))
        await wait_until(lambda: is_up(keeper), timeout_s=30)

        ratings = [rating(large, BAD if index % 2 else GOOD) for index in range(100)]
        ratings += [rating(small, GOOD) for _ in range(100)]
        answers = await give(keeper.nc, *ratings)
        assert all(isinstance(answer, Done) for answer in answers)

        async def turned() -> bool:
            (family,) = (await shown(keeper.nc)).families
            return family.order == ("small", "large")

        await wait_until(turned)
        running.send_signal(signal.SIGTERM)
        assert await running.wait() == 0


async def test_what_it_has_learned_outlives_it(nats_url: str, tmp_path: Path) -> None:
    async with log_keeper(nats_url) as keeper:
        await keeper.register(registered("large", 0.9))
        task = await keeper.task(accepted(), completed(variant="large"))
        command = rating(task, 0.4)
        for _ in range(2):
            async with process(nats_url, tmp_path / "feedback") as running:
                await wait_until(lambda: is_up(keeper), timeout_s=30)
                answers = await give(keeper.nc, command)
                running.kill()
                await running.wait()
                assert isinstance(answers[0], Done)

        async with process(nats_url, tmp_path / "feedback"):
            await wait_until(lambda: is_up(keeper), timeout_s=30)
            (family,) = (await shown(keeper.nc)).families

    assert family.ratings == 1
    assert family.average == pytest.approx(0.4)


async def test_it_starts_and_ends_again_on_the_same_log(nats_url: str, tmp_path: Path) -> None:
    store = SqliteEventStore(tmp_path / "log.db")
    settings = Settings(nats_url=nats_url, data=tmp_path, feedback_measure_every_s=0.25)
    async with log_keeper(nats_url) as keeper:
        for _ in range(20):
            await keeper.task(accepted(), failed())
        for _ in range(2):
            scope = ServiceScope("feedback")
            await SERVICE.start(scope, settings, store)
            task = await keeper.task(accepted(), completed())
            (answer,) = await give(keeper.nc, rating(task, GOOD))
            await scope.close()

            assert isinstance(answer, Done)
            assert scope.failure is None
    await store.close()


async def test_a_refused_login_ends_it_with_status_1(tmp_path: Path) -> None:
    login = {"nats_user": "feedback", "nats_password": "wrong"}
    user = NatsUser("feedback", "a-password", publish=(">",), subscribe=(">",))
    async with (
        nats_server(tmp_path, users=[user]) as server,
        process(server.url, tmp_path, **login) as running,
    ):
        assert await running.wait() == 1
