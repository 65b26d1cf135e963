"""Each login may do what its service needs; tried on a real server, what is forbidden fails."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.cli.stack.accounts import (
    CLI,
    CONTEXT,
    DEGRADATION,
    FEEDBACK,
    OBSERVER,
    RESOURCE_MONITOR,
    SCHEDULER,
    WATCHERS,
    new_accounts,
    producer,
)
from pointsman.contracts import subjects
from pointsman.testing.waiting import PATIENCE_S
from tests.cli.bus import EXECUTOR, POOL, TENANTS, Bus, a_bus


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncGenerator[Bus]:
    async with a_bus(tmp_path) as bus:
        yield bus


async def test_a_producer_sends_to_its_own_tenant_and_hears_its_own_answers(bus: Bus) -> None:
    acme = producer("acme")

    assert await bus.may_publish(acme, subjects.inbox("acme"))
    assert await bus.may_publish(acme, subjects.feedback("acme"))
    assert await bus.may_subscribe(acme, subjects.answers("acme"))
    assert not await bus.may_publish(acme, subjects.inbox("globex"))
    assert not await bus.may_publish(acme, subjects.feedback("globex"))
    assert not await bus.may_subscribe(acme, subjects.answers("globex"))


@pytest.mark.parametrize(
    "subject",
    [
        subjects.FEED,
        subjects.command(SCHEDULER, "submit", POOL),
        subjects.query(SCHEDULER, "tasks"),
        subjects.answer("acme", "forged"),
        "pm.evt.task.completed",
        subjects.command(FEEDBACK, "give"),
        subjects.device_reading("cpu-0"),
        f"$JS.API.STREAM.DELETE.{subjects.INBOX_STREAM}",
        f"$JS.API.STREAM.PURGE.{subjects.INBOX_STREAM}",
    ],
)
async def test_a_producer_can_do_nothing_else(bus: Bus, subject: str) -> None:
    assert not await bus.may_publish(producer("acme"), subject)


@pytest.mark.parametrize("user", [CLI, EXECUTOR, RESOURCE_MONITOR, DEGRADATION, CONTEXT])
async def test_only_the_scheduler_and_the_feedback_service_answer_other_systems(
    bus: Bus, user: str
) -> None:
    assert not await bus.may_publish(user, subjects.answer("acme", "forged"))


@pytest.mark.parametrize("user", [CLI, EXECUTOR, *WATCHERS])
@pytest.mark.parametrize(
    "subject",
    [
        subjects.FEED,
        "pm.evt.task.completed",
        subjects.inbox("acme"),
        subjects.feedback("acme"),
        subjects.pool_sample(POOL),
        subjects.lease(POOL, EXECUTOR),
        f"$JS.API.STREAM.CREATE.{subjects.FEED_STREAM}",
        f"$JS.ACK.{subjects.INBOX_STREAM}.{subjects.INBOX_CONSUMER}.1.1.1.1.1",
    ],
)
async def test_only_the_scheduler_speaks_for_the_log(bus: Bus, user: str, subject: str) -> None:
    assert not await bus.may_publish(user, subject)


async def test_an_executor_reports_and_cannot_submit(bus: Bus) -> None:
    assert await bus.may_publish(EXECUTOR, subjects.command(SCHEDULER, "report", POOL))
    assert await bus.may_subscribe(EXECUTOR, subjects.lease(POOL, EXECUTOR))
    assert not await bus.may_publish(EXECUTOR, subjects.command(SCHEDULER, "submit", POOL))
    assert not await bus.may_subscribe(EXECUTOR, subjects.lease(POOL, "executor-2"))
    assert not await bus.may_subscribe(EXECUTOR, subjects.FEED)


async def test_the_cli_commands_asks_and_follows_the_feed(bus: Bus) -> None:
    assert await bus.may_publish(CLI, subjects.command(SCHEDULER, "cancel", POOL))
    assert await bus.may_publish(CLI, subjects.query(SCHEDULER, "tasks"))
    assert await bus.may_publish(CLI, subjects.command(DEGRADATION, "override"))
    assert await bus.may_publish(CLI, subjects.query(RESOURCE_MONITOR, "snapshot"))
    assert await bus.may_subscribe(CLI, subjects.FEED)
    assert not await bus.may_subscribe(CLI, subjects.COMMAND_SUBJECTS)


@pytest.mark.parametrize("verb", ["steer_task", "steer_pool", "steer_device", "set_tenant"])
async def test_only_the_command_line_steers(bus: Bus, verb: str) -> None:
    subject = subjects.command(SCHEDULER, verb, POOL)
    users = (CLI, EXECUTOR, OBSERVER, producer("acme"), *WATCHERS)

    assert [user for user in users if await bus.may_publish(user, subject)] == [CLI]


async def test_an_observer_reads_the_events(bus: Bus) -> None:
    refusals: list[str] = []
    async with bus.login(OBSERVER, refusals) as observer, bus.login(SCHEDULER, refusals) as writer:
        events = await observer.subscribe("pm.evt.task.*")
        await observer.flush()

        await writer.publish("pm.evt.task.completed", b"{}")

        assert (await events.next_msg(timeout=PATIENCE_S)).data == b"{}"
    assert refusals == []


@pytest.mark.parametrize(
    "subject",
    [
        "pm.evt.task.completed",
        subjects.FEED,
        subjects.inbox("acme"),
        subjects.command(SCHEDULER, "submit", POOL),
        subjects.query(SCHEDULER, "tasks"),
        f"$JS.API.STREAM.INFO.{subjects.EVENT_STREAM}",
        "_INBOX_observer.own",
    ],
)
async def test_an_observer_publishes_nothing(bus: Bus, subject: str) -> None:
    assert not await bus.may_publish(OBSERVER, subject)


@pytest.mark.parametrize("subject", [subjects.FEED, subjects.answers("acme"), "pm.>"])
async def test_an_observer_hears_nothing_but_events(bus: Bus, subject: str) -> None:
    assert not await bus.may_subscribe(OBSERVER, subject)


@pytest.mark.parametrize("user", [CLI, OBSERVER, SCHEDULER, *WATCHERS, EXECUTOR, producer("acme")])
async def test_nobody_reads_the_answers_to_somebody_else(bus: Bus, user: str) -> None:
    others = set(bus.accounts) - {user}

    read = [
        other
        for other in sorted(others)
        if await bus.may_subscribe(user, f"{bus.accounts[other].inbox_prefix}.>")
    ]

    assert read == []
    assert await bus.may_subscribe(user, f"{bus.accounts[user].inbox_prefix}.>")


def test_passwords_are_new_each_time_and_never_shown() -> None:
    first, second = (new_accounts([EXECUTOR], TENANTS) for _ in range(2))

    passwords = {account.password for each in (first, second) for account in each.values()}

    assert len(passwords) == len(first) + len(second)
    assert first[CLI].password not in repr(first)
