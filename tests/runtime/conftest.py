"""A real nats-server per test, and connections that end with the test."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest

from pointsman.runtime.connection import Connection, connect
from pointsman.runtime.servers import LocalNats
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.servers import nats_server

Connect = Callable[[], Awaitable[Connection]]


@pytest.fixture
async def nats(tmp_path: Path) -> AsyncGenerator[LocalNats]:
    async with nats_server(tmp_path) as server:
        yield server


@pytest.fixture
def nats_settings(nats: LocalNats) -> NatsSettings:
    return NatsSettings(url=nats.url)


@pytest.fixture
def fatal() -> list[Exception]:
    """What the connections of a test reported as fatal; none, unless a test expects some."""
    return []


@pytest.fixture
async def new_connection(
    nats_settings: NatsSettings, fatal: list[Exception]
) -> AsyncGenerator[Connect]:
    opened: list[Connection] = []

    async def open_connection() -> Connection:
        connection = await connect(nats_settings, name="test", on_fatal=fatal.append)
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        await connection.close()
    assert fatal == []


@pytest.fixture
async def nc(new_connection: Connect) -> Connection:
    return await new_connection()
