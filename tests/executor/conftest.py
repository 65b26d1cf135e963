"""Servers and blobs for the executor's tests."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from pointsman.runtime.blobs import SqliteBlobs
from pointsman.runtime.servers import LocalTriton
from pointsman.testing.servers import nats_server, triton, triton_here
from tests.executor.place import Place
from tests.executor.pool_leader import PoolLeader


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncGenerator[str]:
    async with nats_server(tmp_path) as server:
        yield server.url


def require_triton() -> None:
    """Skip with what is missing."""
    support = triton_here()
    if support.environment is None:
        pytest.skip(str(support))


@pytest.fixture
async def identity_triton(tmp_path: Path) -> AsyncGenerator[LocalTriton]:
    """A Triton with the `identity` model (two instances) and `summarize_lead`."""
    require_triton()
    async with triton(tmp_path, ("identity", "summarize_lead")) as server:
        yield server


@pytest.fixture
async def place(nats_url: str, tmp_path: Path) -> AsyncGenerator[Place]:
    blobs = SqliteBlobs(tmp_path / "blobs", "gateway")
    async with PoolLeader.on(nats_url) as leader:
        yield Place(nats_url, blobs, tmp_path / "blobs", leader)
    await blobs.close()
