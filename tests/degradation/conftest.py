"""A world for the service, and a real nats-server."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.testing.servers import nats_server
from tests.degradation.shell import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncGenerator[str]:
    async with nats_server(tmp_path) as server:
        yield server.url
