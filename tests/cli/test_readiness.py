"""When `up` says that a stack is ready."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from nats.aio.msg import Msg

from pointsman.cli.stack.accounts import CLI, SCHEDULER
from pointsman.cli.stack.readiness import wait_ready
from pointsman.cli.stack.record import DeviceRecord
from pointsman.contracts import subjects
from pointsman.testing.waiting import wait_until
from tests.cli.bus import POOL, Bus, a_bus

ENDPOINT: Final = "grpc://127.0.0.1:8001"
DEVICE: Final = DeviceRecord("cpu-1", ENDPOINT, "triton")


class Scheduler:
    """Answers `up` on a real server; what it says of the device is given."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.row: dict[str, object] = {}
        self.said: list[str] = []

    async def ready(self) -> None:
        account = self.bus.accounts[CLI]
        await wait_ready(self.bus.url, account, [DEVICE], self.said.append)

    def device(self, state: str, reason: str = "", endpoint: str = ENDPOINT) -> None:
        self.row = {"device": "cpu-1", "endpoint": endpoint, "state": state, "reason": reason}


@asynccontextmanager
async def a_scheduler(tmp: Path) -> AsyncGenerator[Scheduler]:
    async with a_bus(tmp) as bus, bus.login(SCHEDULER, []) as nc:
        scheduler = Scheduler(bus)

        async def pool(asked: Msg) -> None:
            await asked.respond(json.dumps({"position": 7}).encode())

        async def devices(asked: Msg) -> None:
            await asked.respond(json.dumps([scheduler.row]).encode())

        await nc.subscribe(subjects.query(SCHEDULER, "pool", POOL), cb=pool)
        await nc.subscribe(subjects.query(SCHEDULER, "devices", POOL), cb=devices)
        await nc.flush()
        yield scheduler


@pytest.mark.parametrize("state", ["drained", "draining"])
async def test_a_device_that_is_drained_keeps_no_stack_from_being_ready(
    tmp_path: Path, state: str
) -> None:
    async with a_scheduler(tmp_path) as scheduler:
        scheduler.device(state, "cli:ada: a new card")

        async with asyncio.timeout(20):
            await scheduler.ready()

    assert scheduler.said == [
        "scheduler ready: leads pool main, log position 7",
        (
            "device cpu-1 is drained by cli:ada: a new card; it takes nothing until "
            "`pointsman device undrain cpu-1 --reason WHY`"
        ),
    ]


async def test_a_device_that_is_away_or_of_an_earlier_start_is_waited_for(tmp_path: Path) -> None:
    async with a_scheduler(tmp_path) as scheduler:
        scheduler.device("drained", "cli:ada: a new card", endpoint="grpc://127.0.0.1:1")
        waiting = asyncio.create_task(scheduler.ready())
        await wait_until(lambda: bool(scheduler.said))
        scheduler.device("suspended", "its canary does not come back")
        before = list(scheduler.said)

        scheduler.device("ready")
        await asyncio.wait_for(waiting, timeout=20)

    assert len(before) == 1
    assert scheduler.said[-1] == "device cpu-1 ready: nothing is loaded yet"
