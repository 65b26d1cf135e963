"""The logins of the services that follow the feed, tried on a real server."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from pointsman.cli.stack.accounts import (
    CLI,
    CONTEXT,
    DEGRADATION,
    FEEDBACK,
    RESOURCE_MONITOR,
    SCHEDULER,
    WATCHERS,
    producer,
)
from pointsman.contracts import subjects
from pointsman.runtime.puller import Puller
from pointsman.runtime.streams import provision, provision_consumer
from pointsman.testing.waiting import PATIENCE_S
from tests.cli.bus import EXECUTOR, POOL, Bus, a_bus


def a_consumer(name: str) -> ConsumerConfig:
    return ConsumerConfig(durable_name=name, ack_policy=AckPolicy.EXPLICIT)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncGenerator[Bus]:
    async with a_bus(tmp_path) as bus:
        yield bus


@pytest.mark.parametrize("user", WATCHERS)
async def test_a_service_is_asked_asks_the_scheduler_and_nobody_else(bus: Bus, user: str) -> None:
    other = WATCHERS[WATCHERS.index(user) - 1]

    assert await bus.may_subscribe(user, subjects.command(user, ">"))
    assert await bus.may_subscribe(user, subjects.query(user, "*"))
    assert await bus.may_publish(user, subjects.query(SCHEDULER, "events"))
    assert not await bus.may_subscribe(user, subjects.command(other, ">"))
    assert not await bus.may_subscribe(user, subjects.query(other, "*"))
    assert not await bus.may_publish(user, subjects.command(other, "override"))
    assert not await bus.may_publish(user, subjects.query(other, "state"))
    assert not await bus.may_subscribe(user, subjects.command(SCHEDULER, ">"))
    assert not await bus.may_subscribe(user, subjects.FEED)


@pytest.mark.parametrize("user", [SCHEDULER, *WATCHERS])
async def test_whoever_appends_to_the_log_pokes_the_others_and_is_poked(
    bus: Bus, user: str
) -> None:
    assert await bus.may_publish(user, subjects.POKE)
    assert await bus.may_subscribe(user, subjects.POKE)


@pytest.mark.parametrize("user", WATCHERS)
async def test_a_service_makes_and_reads_its_own_consumer_of_the_feed(bus: Bus, user: str) -> None:
    refusals: list[str] = []
    async with bus.login(SCHEDULER, refusals) as scheduler:
        await provision(scheduler)
        async with bus.login(user, refusals) as watcher:
            await provision_consumer(watcher, subjects.FEED_STREAM, a_consumer(user))
            puller = Puller(watcher, subjects.FEED_STREAM, user)
            await scheduler.jetstream().publish(subjects.FEED, b"[]")

            (message,) = await puller.next()
            await message.ack_sync()

            await puller.stop()
    assert refusals == []


@pytest.mark.parametrize("user", WATCHERS)
async def test_a_service_touches_no_consumer_of_another(bus: Bus, user: str) -> None:
    other = f"{subjects.FEED_STREAM}.{WATCHERS[WATCHERS.index(user) - 1]}"

    for subject in (
        f"$JS.API.CONSUMER.DURABLE.CREATE.{other}",
        f"$JS.API.CONSUMER.CREATE.{other}",
        f"$JS.API.CONSUMER.DELETE.{other}",
        f"$JS.API.CONSUMER.MSG.NEXT.{other}",
        f"$JS.ACK.{other}.1.1.1.1.1",
        f"$JS.API.STREAM.DELETE.{subjects.FEED_STREAM}",
        f"$JS.API.STREAM.MSG.GET.{subjects.FEED_STREAM}",
    ):
        assert not await bus.may_publish(user, subject), subject


async def test_the_scheduler_makes_the_queues_and_their_consumers(bus: Bus) -> None:
    refusals: list[str] = []
    async with bus.login(SCHEDULER, refusals) as scheduler:
        made = await provision(scheduler)
        again = await provision(scheduler)

    assert all(each.created for each in made)
    assert not any(each.created or each.repaired for each in again)
    assert refusals == []


async def test_ratings_reach_the_feedback_service_and_its_answer_the_sender(bus: Bus) -> None:
    refusals: list[str] = []
    async with (
        bus.login(SCHEDULER, refusals) as scheduler,
        bus.login(producer("acme"), refusals) as sender,
        bus.login(FEEDBACK, refusals) as reader,
    ):
        await provision(scheduler)
        answers = await sender.subscribe(subjects.answers("acme"))
        await sender.jetstream().publish(subjects.feedback("acme"), b"{}")
        puller = Puller(reader, subjects.FEEDBACK_STREAM, subjects.FEEDBACK_CONSUMER)

        (message,) = await puller.next()
        await reader.publish(subjects.answer("acme", "m-1"), b"taken")
        await message.ack_sync()

        assert (await answers.next_msg(timeout=PATIENCE_S)).data == b"taken"
        await puller.stop()
    assert refusals == []


@pytest.mark.parametrize("user", [RESOURCE_MONITOR, DEGRADATION, CONTEXT, CLI, EXECUTOR])
async def test_nobody_else_reads_the_ratings(bus: Bus, user: str) -> None:
    ratings = f"{subjects.FEEDBACK_STREAM}.{subjects.FEEDBACK_CONSUMER}"

    assert not await bus.may_publish(user, f"$JS.API.CONSUMER.MSG.NEXT.{ratings}")
    assert not await bus.may_publish(user, f"$JS.ACK.{ratings}.1.1.1.1.1")
    assert not await bus.may_subscribe(user, subjects.FEEDBACK_SUBJECTS)


async def test_the_scheduler_makes_the_queue_of_ratings_and_reads_none(bus: Bus) -> None:
    ratings = f"{subjects.FEEDBACK_STREAM}.{subjects.FEEDBACK_CONSUMER}"

    assert not await bus.may_publish(SCHEDULER, f"$JS.API.CONSUMER.MSG.NEXT.{ratings}")
    assert not await bus.may_publish(SCHEDULER, f"$JS.ACK.{ratings}.1.1.1.1.1")


@pytest.mark.parametrize(
    ("user", "reads_pools", "reads_devices", "tells_devices"),
    [
        (RESOURCE_MONITOR, True, False, True),
        (DEGRADATION, True, True, False),
        (FEEDBACK, False, False, False),
        (CONTEXT, False, False, False),
        (SCHEDULER, True, False, False),
    ],
)
async def test_readings_go_from_who_takes_them_to_who_judges_them(
    bus: Bus, user: str, *, reads_pools: bool, reads_devices: bool, tells_devices: bool
) -> None:
    assert await bus.may_subscribe(user, subjects.pool_sample("*")) is reads_pools
    assert await bus.may_subscribe(user, subjects.device_reading("*")) is reads_devices
    assert await bus.may_publish(user, subjects.device_reading("cpu-0")) is tells_devices


async def test_the_scheduler_tells_how_its_pool_is(bus: Bus) -> None:
    assert await bus.may_publish(SCHEDULER, subjects.pool_sample(POOL))


async def test_a_canary_goes_from_the_resource_monitor_to_the_executor_and_back(bus: Bus) -> None:
    refusals: list[str] = []
    subject = subjects.command("executor", "canary", EXECUTOR)
    async with (
        bus.login(EXECUTOR, refusals) as executor,
        bus.login(RESOURCE_MONITOR, refusals) as monitor,
    ):

        async def answer(message: Msg) -> None:
            await executor.publish(message.reply, b"bytes")

        await executor.subscribe(subject, cb=answer)
        await executor.flush()

        reply = await monitor.request(subject, b"[]", timeout=PATIENCE_S)

    assert reply.data == b"bytes"
    assert refusals == []


@pytest.mark.parametrize("user", [CLI, SCHEDULER, DEGRADATION, FEEDBACK, CONTEXT])
async def test_nobody_else_runs_canaries(bus: Bus, user: str) -> None:
    assert not await bus.may_publish(user, subjects.command("executor", "canary", EXECUTOR))
    assert not await bus.may_subscribe(user, subjects.command("executor", "canary", EXECUTOR))


@pytest.mark.parametrize("user", WATCHERS)
async def test_of_the_services_only_context_speaks_for_a_task(bus: Bus, user: str) -> None:
    for verb, permitted in (("prepare", True), ("submit", True), ("cancel", False)):
        subject = subjects.command(SCHEDULER, verb, POOL)
        assert await bus.may_publish(user, subject) is (permitted and user == CONTEXT), verb
