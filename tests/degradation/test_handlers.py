"""Commands, questions and readings, in memory and on a real server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from pointsman.contracts import subjects
from pointsman.contracts.commands import Done, Rejected, decode_answer, decode_answers
from pointsman.contracts.degradation import (
    AskHistory,
    AskLadders,
    EndOverride,
    HistoryRow,
    LadderRow,
    SetOverride,
)
from pointsman.contracts.levels import Level
from pointsman.contracts.message import Message
from pointsman.degradation.handlers import (
    build_command_router,
    build_query_router,
    build_telemetry_router,
)
from pointsman.runtime.broker import ServiceBroker, build_broker
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.degradation.pure_ladder import reading, sample
from tests.degradation.shell import Shell, World, running

OVERRIDE = subjects.command("degradation", "override")
END = subjects.command("degradation", "end_override")
STATE = subjects.query("degradation", "state")
HISTORY = subjects.query("degradation", "history")

SHED = SetOverride(command_id="one", pool="main", level=Level.SHED, ttl_s=60.0, by="ada")

T = TypeVar("T")
twice = pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])


def broker_for(shell: Shell, url: str) -> ServiceBroker:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    broker = build_broker(NatsSettings(url=url), name="degradation", on_fatal=fail)
    broker.include_router(build_command_router(shell.overrides))
    broker.include_router(build_query_router(shell.questions))
    broker.include_router(build_telemetry_router(shell.ladders))
    return broker


@asynccontextmanager
async def served(world: World, url: str, *, real: bool) -> AsyncGenerator[tuple[NatsBroker, Shell]]:
    async with (
        running(world) as shell,
        TestNatsBroker(broker_for(shell, url), with_real=real) as broker,
    ):
        yield broker, shell


async def ask(broker: NatsBroker, subject: str, question: Message, type_: type[T]) -> T:
    reply = await broker.request(msgspec.json.encode(question), subject, timeout=PATIENCE_S)
    return msgspec.json.decode(reply.body, type=type_)


@twice
async def test_a_pack_of_commands_is_answered_in_its_order(
    real: bool, nats_url: str, world: World
) -> None:
    elsewhere = msgspec.structs.replace(SHED, command_id="two", pool="other")
    for_ever = msgspec.structs.replace(SHED, command_id="three", ttl_s=1e30)
    async with served(world, nats_url, real=real) as (broker, shell):
        pack = msgspec.json.encode([SHED, elsewhere, for_ever])

        reply = await broker.request(pack, OVERRIDE, timeout=PATIENCE_S)

        done, unknown, too_long = decode_answers(reply.body)
        assert isinstance(done, Done)
        assert isinstance(unknown, Rejected)
        assert unknown.code == "unknown_pool"
        assert isinstance(too_long, Rejected)
        assert too_long.code == "ttl_out_of_range"
        assert shell.record.stand.level is Level.SHED


@twice
async def test_an_override_is_ended_and_both_stand_in_the_history(
    real: bool, nats_url: str, world: World
) -> None:
    end = EndOverride(command_id="end", pool="main", by="ada")
    async with served(world, nats_url, real=real) as (broker, _):
        await broker.request(msgspec.json.encode([SHED]), OVERRIDE, timeout=PATIENCE_S)
        await broker.request(msgspec.json.encode([end]), END, timeout=PATIENCE_S)

        (row,) = await ask(broker, STATE, AskLadders(), list[LadderRow])
        history = await ask(broker, HISTORY, AskHistory(limit=2), list[HistoryRow])

        assert (row.level, row.override) == (Level.SHED, None)
        assert [entry.topic for entry in history] == [
            "degradation.override_ended.v1",
            "degradation.level_changed.v1",
        ]


@twice
async def test_readings_arrive_at_the_ladder(real: bool, nats_url: str, world: World) -> None:
    at = world.clock.wall()
    async with served(world, nats_url, real=real) as (broker, shell):
        await broker.publish(
            msgspec.json.encode(sample(at, devices=("gpu-0",))), subjects.pool_sample("main")
        )
        await broker.publish(
            msgspec.json.encode(reading("gpu-0", at, memory=0.5)), subjects.device_reading("gpu-0")
        )

        await wait_until(lambda: len(shell.questions.ladders()[0].ages) == 2)

        assert shell.questions.ladders()[0].inputs.device == 0.5


async def test_a_level_that_does_not_exist_is_refused_in_words(nats_url: str, world: World) -> None:
    async with served(world, nats_url, real=True) as (broker, _):
        reply = await broker.request(
            b'[{"command_id":"x","pool":"main","level":"panic"}]', OVERRIDE, timeout=PATIENCE_S
        )

        (answer,) = decode_answers(reply.body)
        assert isinstance(answer, Rejected)
        assert answer.code == "malformed_request"


async def test_a_command_is_put_off_while_the_log_cannot_be_written(
    nats_url: str, world: World
) -> None:
    world.store.failure = "disk full"
    async with served(world, nats_url, real=True) as (broker, shell):
        reply = await broker.request(msgspec.json.encode([SHED]), OVERRIDE, timeout=PATIENCE_S)

        (answer,) = decode_answers(reply.body)
        assert msgspec.json.decode(msgspec.json.encode(answer))["status"] == "unavailable"
        assert shell.record.stand.level is Level.NORMAL


async def test_a_malformed_question_is_refused_in_words(nats_url: str, world: World) -> None:
    async with served(world, nats_url, real=True) as (broker, _):
        reply = await broker.request(b'{"limit": "all"}', HISTORY, timeout=PATIENCE_S)

        assert isinstance(decode_answer(reply.body), Rejected)
