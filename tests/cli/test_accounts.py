"""Each login may do what its service needs; tried on a real server, what is forbidden fails."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client

from pointsman.cli.stack.accounts import (
    CLI,
    OBSERVER,
    SCHEDULER,
    Account,
    nats_users,
    new_accounts,
    producer,
)
from pointsman.contracts import subjects
from pointsman.testing.servers import nats_server

POOL = "main"
EXECUTOR = "executor-1"
TENANTS = ("acme", "globex")


async def allowed(nc: Client, refusals: list[str]) -> bool:
    """Whether the server took what was sent: it tells of a violation before it answers a ping."""
    # The client sends a ping ahead of what is still pending, hence the second one.
    await nc.flush()
    await nc.flush()
    return not refusals


class Bus:
    """A server with all accounts."""

    def __init__(self, url: str, accounts: dict[str, Account]) -> None:
        self.accounts = accounts
        self._url = url

    @asynccontextmanager
    async def login(self, user: str, refusals: list[str]) -> AsyncGenerator[Client]:
        """Connect; what the server refuses is noted."""

        async def note(error: Exception) -> None:
            refusals.append(str(error))

        account = self.accounts[user]
        nc = Client()
        await nc.connect(
            self._url,
            user=account.user,
            password=account.password,
            inbox_prefix=account.inbox_prefix,
            error_cb=note,
        )
        try:
            yield nc
        finally:
            await nc.close()

    async def may_publish(self, user: str, subject: str) -> bool:
        refusals: list[str] = []
        async with self.login(user, refusals) as nc:
            await nc.publish(subject, b"{}")
            return await allowed(nc, refusals)

    async def may_subscribe(self, user: str, subject: str) -> bool:
        refusals: list[str] = []
        async with self.login(user, refusals) as nc:
            await nc.subscribe(subject)
            return await allowed(nc, refusals)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncGenerator[Bus]:
    accounts = new_accounts([EXECUTOR], TENANTS)
    users = nats_users(accounts, pool=POOL, executors=[EXECUTOR], tenants=TENANTS)
    async with nats_server(tmp_path, users=users) as server:
        yield Bus(server.url, accounts)


async def test_a_producer_sends_to_its_own_tenant_and_hears_its_own_answers(bus: Bus) -> None:
    acme = producer("acme")

    assert await bus.may_publish(acme, subjects.inbox("acme"))
    assert await bus.may_subscribe(acme, subjects.answers("acme"))
    assert not await bus.may_publish(acme, subjects.inbox("globex"))
    assert not await bus.may_subscribe(acme, subjects.answers("globex"))


@pytest.mark.parametrize(
    "subject",
    [
        subjects.FEED,
        subjects.command(SCHEDULER, "submit", POOL),
        subjects.query(SCHEDULER, "tasks"),
        subjects.answer("acme", "forged"),
        "pm.evt.task.completed",
        f"$JS.API.STREAM.DELETE.{subjects.INBOX_STREAM}",
        f"$JS.API.STREAM.PURGE.{subjects.INBOX_STREAM}",
    ],
)
async def test_a_producer_can_do_nothing_else(bus: Bus, subject: str) -> None:
    assert not await bus.may_publish(producer("acme"), subject)


@pytest.mark.parametrize("user", [CLI, EXECUTOR])
@pytest.mark.parametrize(
    "subject",
    [
        subjects.FEED,
        "pm.evt.task.completed",
        subjects.inbox("acme"),
        subjects.answer("acme", "forged"),
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
    assert await bus.may_subscribe(CLI, subjects.FEED)
    assert not await bus.may_subscribe(CLI, subjects.COMMAND_SUBJECTS)


async def test_an_observer_reads_the_events(bus: Bus) -> None:
    refusals: list[str] = []
    async with bus.login(OBSERVER, refusals) as observer, bus.login(SCHEDULER, refusals) as writer:
        events = await observer.subscribe("pm.evt.task.*")
        await observer.flush()

        await writer.publish("pm.evt.task.completed", b"{}")

        assert (await events.next_msg(timeout=5)).data == b"{}"
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


@pytest.mark.parametrize("user", [CLI, OBSERVER, SCHEDULER, EXECUTOR, producer("acme")])
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
