"""The resource monitor as a process of its own, beside a stand-in of the pool."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.contracts.resource_monitor import (
    AlertRow,
    AskMonitor,
    ForecastRow,
    ListAlerts,
    ReadingRow,
    Snapshot,
)
from pointsman.eventstore import Append
from pointsman.eventstore.service import LogSettings, open_log
from pointsman.resource_monitor.__main__ import SERVICE
from pointsman.runtime.service import ServiceScope
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until
from tests.resource_monitor.fakes import accepted, as_new, completion, device, failure
from tests.resource_monitor.pool_stand_in import PoolStandIn


@asynccontextmanager
async def monitor(url: str, data: Path, **settings: str) -> AsyncGenerator[Process]:
    variables = {
        "POINTSMAN_NATS_URL": url,
        "POINTSMAN_DATA": str(data),
        **{f"POINTSMAN_{name.upper()}": value for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.resource_monitor", env=os.environ | variables
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


Alerts = Callable[[], Awaitable[list[AlertRow]]]


async def tasks(pool: PoolStandIn, completed: int = 0, failed: int = 0) -> None:
    for end in [completion()] * completed + [failure()] * failed:
        task = uuid4()
        await pool.store.append(Append([as_new(task, 1, accepted()), as_new(task, 2, end)]))


async def snapshot(pool: PoolStandIn) -> Snapshot:
    return await pool.ask("snapshot", AskMonitor(), Snapshot)


async def test_it_reads_compares_counts_raises_answers_and_ends_when_told(
    nats_url: str, tmp_path: Path
) -> None:
    async with PoolStandIn.on(nats_url, tmp_path / "pool") as pool:
        pool.rows = [device("cpu-0"), device("noop-0", "noop", variants=("echo",))]
        async with monitor(nats_url, tmp_path / "data") as process:
            await wait_until(lambda: len(pool.canaries) >= 2, timeout_s=30)
            await tasks(pool, completed=25, failed=5)

            async def raised() -> bool:
                found = await pool.ask("alerts", ListAlerts(), list[AlertRow])
                return [row.alert for row in found] == ["error_rate"]

            await wait_until(raised, timeout_s=30)
            seen = await snapshot(pool)
            readings = await pool.ask("readings", AskMonitor(), list[ReadingRow])
            forecasts = await pool.ask("forecasts", AskMonitor(), list[ForecastRow])
            process.send_signal(signal.SIGTERM)
            status = await process.wait()

    (family,), (main,) = seen.families, seen.pools
    states = {row.device: (row.reading.state, row.canary) for row in seen.devices}
    assert status == 0
    assert (family.accepted, family.completed, family.failed, family.open) == (30, 25, 5, 0)
    assert main.error_rate == pytest.approx(5 / 30)
    assert states == {"cpu-0": ("measured", "healthy"), "noop-0": ("absent", "healthy")}
    assert [(row.device, row.source) for row in readings] == [
        ("cpu-0", "psutil"),
        ("noop-0", "none"),
    ]
    assert {row.family for row in forecasts} <= {"summarize"}
    assert {each.name: each.state for each in seen.inputs} == {
        "devices": "fresh",
        "feed": "fresh",
        "pool main": "fresh",
        "nvml": "off",
        "triton metrics": "off",
    }


async def test_a_killed_monitor_neither_raises_again_nor_forgets_what_stands(
    nats_url: str, tmp_path: Path
) -> None:
    async with PoolStandIn.on(nats_url, tmp_path / "pool") as pool:
        await pool.store.append(Append([as_new(uuid4(), 1, accepted())]))

        async def alerts() -> list[AlertRow]:
            return await pool.ask("alerts", ListAlerts(all=True), list[AlertRow])

        async def stands() -> bool:
            return [row.alert for row in await answered(alerts)] == ["task_latency"]

        async with monitor(nats_url, tmp_path / "data") as process:
            await wait_until(stands, timeout_s=30)
            (before,) = await alerts()
            process.kill()
            await process.wait()
        async with monitor(nats_url, tmp_path / "data"):
            await wait_until(stands, timeout_s=30)
            # Once the restarted monitor knows the stall, it would raise it if it did not know.
            await wait_until(lambda: stalled(pool), timeout_s=30)

            assert await alerts() == [before]


async def stalled(pool: PoolStandIn) -> bool:
    return any((figures.stall_s or 0) > 5 for figures in (await snapshot(pool)).pools)


async def answered(alerts: Alerts) -> list[AlertRow]:
    try:
        return await alerts()
    except Exception:  # noqa: BLE001 - nobody answers before the service is up
        return []


async def test_it_waits_for_the_server_and_says_so(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        url = server.url
        server.kill()
        await server.wait()
        async with monitor(url, tmp_path / "data") as process:
            await server.start()
            async with PoolStandIn.on(url, tmp_path / "pool") as pool:
                pool.rows = [device("cpu-0")]
                await wait_until(lambda: bool(pool.readings), timeout_s=30)

            assert process.returncode is None


async def test_it_can_be_stopped_and_started_again_on_the_same_log_in_one_process(
    nats_url: str, tmp_path: Path
) -> None:
    settings = SERVICE.settings(nats_url=nats_url, data=tmp_path / "data")
    outer = ServiceScope("outer")
    store = await open_log(outer, LogSettings(data=tmp_path / "data"))
    async with PoolStandIn.on(nats_url, tmp_path / "pool") as pool:
        pool.rows = [device("cpu-0")]
        for _ in range(2):
            pool.readings.clear()
            scope = ServiceScope("resource_monitor")
            await SERVICE.start(scope, settings, store)
            await wait_until(lambda: any(each.sample for each in pool.readings), timeout_s=30)
            await scope.close()
            assert scope.failure is None
    topics = [event.type for event in await store.read(0)]
    await outer.close()

    assert topics.count("device.canary_changed.v1") == 1


async def test_a_wrong_address_ends_it_at_once(nats_url: str, tmp_path: Path) -> None:
    async with monitor(nats_url, tmp_path / "data", resource_monitor_metrics="cpu-0") as process:
        assert await process.wait() == 1
