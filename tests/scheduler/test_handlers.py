"""The subjects of the context service and of whoever watches the pool, in memory and for real."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    Done,
    PrepareTask,
    Rejected,
    decode_answers,
)
from pointsman.contracts.message import Message
from pointsman.contracts.telemetry import PoolSample
from pointsman.runtime.broker import build_broker
from pointsman.runtime.connection import Connection
from pointsman.runtime.settings import NatsSettings
from pointsman.scheduler.adapters.nats_readings import NatsReadings
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.handlers import build_command_router
from pointsman.scheduler.leading.load_readings import LoadReader, publish_load
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.support.influences import with_context, with_result, without_context
from tests.support.leading import Scheduler, World, scheduler
from tests.support.scheduling import A, submission

twice = pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])


@asynccontextmanager
async def served(url: str, here: Scheduler, *, real: bool) -> AsyncGenerator[NatsBroker]:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    broker = build_broker(NatsSettings(url=url), name="scheduler", on_fatal=fail)
    broker.include_router(build_command_router("main", here.leader, here.submissions, here.redrive))
    async with TestNatsBroker(broker, with_real=real) as running:
        yield running


async def command(broker: NatsBroker, verb: str, pack: Sequence[Message]) -> list[Answer]:
    subject = subjects.command("scheduler", verb, "main")
    return decode_answers(
        (await broker.request(msgspec.json.encode(pack), subject, timeout=PATIENCE_S)).body
    )


@twice
async def test_a_pack_of_preparations_is_answered_in_order(real: bool, nats_url: str) -> None:
    here = await scheduler(World())
    async with served(nats_url, here, real=real) as broker:
        talk = [submission(command_id=f"order-{n}", conversation="c-1") for n in range(2)]
        first, second = await command(broker, "submit", talk)
        assert isinstance(first, Accepted)
        assert isinstance(second, Accepted)
        pack: list[PrepareTask] = [
            with_context(first.task),
            with_result(second.task),
            without_context(A),
        ]

        done, refused, nothing = await command(broker, "prepare", pack)

        assert done == Done(detail="prepared")
        assert isinstance(refused, Rejected)
        assert nothing == Done(detail="the task waits for nothing any more")
        assert here.pool.tasks[first.task].prepared is not None


async def test_a_malformed_preparation_is_refused_in_words(nats_url: str) -> None:
    here = await scheduler(World())
    async with served(nats_url, here, real=True) as broker:
        reply = await broker.request(
            b'[{"command_id":"p"}]',
            subjects.command("scheduler", "prepare", "main"),
            timeout=PATIENCE_S,
        )

        (answer,) = decode_answers(reply.body)
        assert isinstance(answer, Rejected)
        assert "task" in answer.message


async def test_a_reading_of_the_pool_is_published_for_whoever_listens(nc: Connection) -> None:
    here = await scheduler(World())
    await here.submissions.submit(submission(), door="command")
    heard: list[bytes] = []

    async def hear(message: Message | object) -> None:
        heard.append(getattr(message, "data", b""))

    await nc.subscribe(subjects.pool_sample("main"), cb=hear)
    reader = LoadReader(here.pool, here.clock)
    publishing = asyncio.ensure_future(publish_load(reader, NatsReadings(nc)))
    try:
        await wait_until(lambda: bool(heard))
    finally:
        publishing.cancel()

    sample = msgspec.json.decode(heard[0], type=PoolSample)
    assert sample == sample_load(here.pool, at=here.clock.now)
    assert (sample.queued, sample.families[0].family) == (1, "summarize")
