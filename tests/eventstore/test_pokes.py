"""Processes of one log wake each other after their commits."""

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from pointsman.eventstore.pokes import Pokes, poke_others
from pointsman.runtime.connection import Connection, connect
from pointsman.runtime.servers import NatsUser
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until
from tests.support.log_events import some_events


class Process(MemoryEventStore):
    """The store of one process, which counts how often it was woken."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
async def nc(tmp_path: Path) -> AsyncGenerator[Connection]:
    async with nats_server(tmp_path) as server:
        connection = await connect(
            NatsSettings(url=server.url),
            name="test",
            on_fatal=lambda error: pytest.fail(str(error)),
        )
        yield connection
        await connection.close()


async def test_a_commit_wakes_the_others_and_not_its_own_process(nc: Connection) -> None:
    here, there = Process(), Process()
    for each in (here, there):
        await Pokes(nc, each).start()

    await here.append(some_events(uuid4(), [1]))
    await wait_until(lambda: there.woken == 1)
    await there.append(some_events(uuid4(), [1]))
    await wait_until(lambda: here.woken == 1)

    assert there.woken == 1


async def test_a_burst_of_commits_is_a_handful_of_pokes(nc: Connection) -> None:
    here, there = Process(), Process()
    for each in (here, there):
        await Pokes(nc, each).start()

    for _ in range(500):
        await here.append(some_events(uuid4(), [1]))
    await wait_until(lambda: there.woken >= 1)
    await nc.flush()

    assert there.woken < 100


async def test_without_the_right_to_poke_a_service_goes_on(tmp_path: Path) -> None:
    own = ("_INBOX_mute.>",)
    async with nats_server(tmp_path, users=[NatsUser("mute", "password", own, own)]) as server:
        scope, store = ServiceScope("mute"), Process()
        nats = {"url": server.url, "user": "mute", "password": "password"}

        with capture_logs() as said:
            poke_others(scope, NatsSettings.model_validate(nats), store)
            await wait_until(lambda: [line["event"] for line in said].count("pokes_off") == 1)
            for _ in range(3):
                await store.append(some_events(uuid4(), [1]))
        await scope.close()

    assert scope.failure is None
    assert [line["code"] for line in said if line["event"] == "pokes_off"] == [
        "broker_permission_denied"
    ]
