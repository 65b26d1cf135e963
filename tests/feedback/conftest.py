"""A real nats-server per test."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.testing.servers import nats_server


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncGenerator[str]:
    async with nats_server(tmp_path) as server:
        yield server.url
