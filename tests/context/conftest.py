"""A world for each test, and a server where one is needed."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.testing.servers import nats_server
from tests.context.world import World, a_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    async with a_world(tmp_path) as made:
        yield made


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncGenerator[str]:
    async with nats_server(tmp_path) as server:
        yield server.url
