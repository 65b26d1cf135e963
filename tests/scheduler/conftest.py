"""A real nats-server per test."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.runtime.connection import Connection, connect
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.servers import nats_server


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncGenerator[str]:
    async with nats_server(tmp_path) as server:
        yield server.url


@pytest.fixture
async def nc(nats_url: str) -> AsyncGenerator[Connection]:
    fatal: list[Exception] = []
    connection = await connect(NatsSettings(url=nats_url), name="test", on_fatal=fatal.append)
    yield connection
    await connection.close()
    assert fatal == []
