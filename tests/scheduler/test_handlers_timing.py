"""The subjects of schedules and bulks, in memory and for real."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from pointsman.contracts import subjects
from pointsman.contracts.bulk import BulkCancelled, CancelBulk
from pointsman.contracts.commands import Answer, Done, Rejected, decode_answers
from pointsman.contracts.message import Message
from pointsman.contracts.schedules import PauseSchedule, RemoveSchedule, ResumeSchedule
from pointsman.runtime.broker import build_broker
from pointsman.runtime.settings import NatsSettings
from pointsman.scheduler.handlers import build_command_router, build_schedule_router
from pointsman.testing.waiting import PATIENCE_S
from tests.support.leading import Scheduler, World, scheduler
from tests.support.schedules import EVERY_MINUTE, changed, schedules_of
from tests.support.scheduling import submission

twice = pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])


@asynccontextmanager
async def served(url: str, here: Scheduler, *, real: bool) -> AsyncGenerator[NatsBroker]:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    broker = build_broker(NatsSettings(url=url), name="scheduler", on_fatal=fail)
    broker.include_routers(
        build_command_router("main", here.leader, here.submissions, here.redrive),
        build_schedule_router("main", schedules_of(here)),
    )
    async with TestNatsBroker(broker, with_real=real) as running:
        yield running


async def command(broker: NatsBroker, verb: str, pack: Sequence[Message]) -> list[Answer]:
    subject = subjects.command("scheduler", verb, "main")
    return decode_answers(
        (await broker.request(msgspec.json.encode(pack), subject, timeout=PATIENCE_S)).body
    )


@twice
async def test_schedules_are_set_and_removed(real: bool, nats_url: str) -> None:
    here = await scheduler(World())
    remove = RemoveSchedule(command_id="r-1", tenant="acme", name="digest", by="cli:ada")
    async with served(nats_url, here, real=real) as broker:
        made, wrong = await command(broker, "set_schedule", [EVERY_MINUTE, changed(cron="never")])
        (removed,) = await command(broker, "remove_schedule", [remove])

    assert (made, removed) == (Done(detail="set"), Done(detail="removed"))
    assert isinstance(wrong, Rejected)


@twice
async def test_a_schedule_is_paused_and_goes_on(real: bool, nats_url: str) -> None:
    here = await scheduler(World())
    said = {"by": "cli:ada", "reason": "a drill", "tenant": "acme", "name": "digest"}
    async with served(nats_url, here, real=real) as broker:
        await command(broker, "set_schedule", [EVERY_MINUTE])
        steering = [
            PauseSchedule(command_id="p-1", **said),
            ResumeSchedule(command_id="p-2", **said),
            PauseSchedule(command_id="p-3", **{**said, "name": "weekly"}),
        ]
        paused, resumed, wrong = await command(broker, "steer_schedule", steering)

    assert paused == Done(detail="nothing is due until it resumes")
    assert resumed == Done(detail="it goes on with its next due time")
    assert isinstance(wrong, Rejected)
    assert wrong.code == "no_such_schedule"


@twice
async def test_a_bulk_is_submitted_and_cancelled(real: bool, nats_url: str) -> None:
    here = await scheduler(World())
    bulk = [
        msgspec.structs.replace(submission(command_id=f"order-{n}"), bulk="backfill")
        for n in range(3)
    ]
    cancel = CancelBulk(command_id="b-1", tenant="acme", bulk="backfill", by="cli:ada")
    async with served(nats_url, here, real=real) as broker:
        await command(broker, "submit", bulk)
        answers = await command(broker, "cancel_bulk", [cancel])

    assert answers == [BulkCancelled(cancelled=3)]
    assert here.pool.tasks == {}
