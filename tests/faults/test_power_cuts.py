"""The power fails in the middle of work, and everything that was acknowledged is there."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.testing.lossy_disk import LossyDisk
from pointsman.testing.servers import postgres
from tests.e2e.live_stack import show
from tests.faults.postgres_log import appending, contradictions
from tests.support import append_until_killed

CUTS: Final = int(os.environ.get("POINTSMAN_POWER_CUTS", "3"))
"""Of each log; set it to 10 or more for evidence."""
BEFORE: Final = 60
"""Acknowledgements before each cut."""
ROOT: Final = Path(append_until_killed.__file__).parents[2]


def share_of(cut: int) -> float:
    """Every second cut lets half of the unsynced pages reach the disk, in no order."""
    return (cut % 2) / 2


async def append_until_the_power_fails(disk: LossyDisk, log: Path, cut: int) -> list[list[str]]:
    """Each acknowledged pair of events: its two positions and its stream."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", append_until_killed.__name__, str(log),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    assert child.stdout is not None
    lines = [await child.stdout.readline() for _ in range(BEFORE)]
    await disk.power_cut(share=share_of(cut), seed=cut)
    child.kill()
    lines += (await child.stdout.read()).splitlines()
    await child.wait()
    await disk.power_on()
    return [fields for line in lines if len(fields := line.decode().split()) == 3]


@pytest.mark.slow
async def test_the_sqlite_log_loses_nothing_acknowledged_to_power_cuts(disk: LossyDisk) -> None:
    path = disk.path / "log.db"
    acknowledged: list[list[str]] = []

    for cut in range(CUTS):
        acknowledged += await append_until_the_power_fails(disk, path, cut)

    async with SqliteEventStore(path) as store:
        log = await store.read(0, limit=1_000_000)
    where = {event.position: event.stream for event in log}
    lost = [
        fields
        for *positions, stream in acknowledged
        for fields in positions
        if where.get(int(fields)) != UUID(stream)
    ]
    show(
        test="power cuts", store="SQLite", cuts=CUTS, acknowledged=len(acknowledged), lost=len(lost)
    )
    assert len(acknowledged) >= CUTS * BEFORE
    assert not lost
    assert [event.position for event in log] == list(range(1, len(log) + 1))


@pytest.mark.slow
async def test_the_postgresql_log_loses_nothing_acknowledged_to_power_cuts(
    disk: LossyDisk,
) -> None:
    async with (
        postgres(disk.path) as server,
        await PostgresEventStore.open(server.dsn) as store,
    ):
        async with appending(store) as work:
            for cut in range(CUTS):
                await work.reaches(len(work.acknowledged) + BEFORE)
                await disk.power_cut(share=share_of(cut), seed=cut)
                server.kill()
                await server.wait()
                await disk.power_on()
                await server.start()
            await work.reaches(len(work.acknowledged) + BEFORE)
        found = await contradictions(store, work)

    show(
        test="power cuts",
        store=f"PostgreSQL {server.version}",
        cuts=CUTS,
        acknowledged=len(work.acknowledged),
        lost=len(found),
    )
    assert not found
