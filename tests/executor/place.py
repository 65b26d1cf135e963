"""Where an executor process of a test runs."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pointsman.contracts.message import BlobRef
from pointsman.runtime.blobs import SqliteBlobs
from pointsman.testing.waiting import wait_until
from tests.executor.pool_leader import PoolLeader


@dataclass
class Place:
    """Where an executor process runs: its bus, its blobs and its leader."""

    url: str
    blobs: SqliteBlobs
    directory: Path
    leader: PoolLeader

    async def stored(self, data: bytes = b"hello") -> BlobRef:
        return await self.blobs.put("acme", data, "text/plain")

    @asynccontextmanager
    async def executor(self, devices: str, **settings: str) -> AsyncGenerator[Process]:
        variables = {
            "POINTSMAN_NATS_URL": self.url,
            "POINTSMAN_EXECUTOR_DEVICES": devices,
            "POINTSMAN_EXECUTOR_BLOBS": str(self.directory),
            "POINTSMAN_EXECUTOR_NOOP_VARIANTS": "echo",
            **{f"POINTSMAN_EXECUTOR_{name.upper()}": value for name, value in settings.items()},
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pointsman.executor", env=os.environ | variables
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def attached(self, count: int = 1) -> None:
        await wait_until(lambda: len(self.leader.attached) >= count, timeout_s=30)
