"""All services in the test's own process on a real nats-server, an executor as a child beside."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pointsman.cli.client import StackClient
from pointsman.cli.stack.accounts import CLI, SCHEDULER, WATCHERS, nats_users, new_accounts
from pointsman.cli.stack.child import PythonChild
from pointsman.cli.stack.children import executor_environment
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.plan import EXECUTOR, POOL, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.record import DeviceRecord, StackRecord
from pointsman.cli.together.__main__ import Settings, Together
from pointsman.runtime.servers import LocalNats
from pointsman.runtime.service import ServiceScope
from pointsman.testing import wait_until
from tests.e2e.live_stack import TENANT, FollowedLog, followed_log, logged_in

SERVICES: Final = (SCHEDULER, *WATCHERS)
_STARTED_S: Final = 30.0


@dataclass(slots=True)
class HousedStack:
    """The services with the means to disturb them."""

    together: Together
    client: StackClient
    log: FollowedLog
    record: StackRecord

    async def kill(self, service: str) -> None:
        """Cancel a service's tasks; returns when it has started again."""
        housed = self.together.housed[service]
        starts = housed.starts
        housed.kill()
        await wait_until(lambda: housed.starts > starts, timeout_s=_STARTED_S)


@asynccontextmanager
async def housed_stack(data: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[HousedStack]:
    """Run them on a data directory until the block ends; the engine is the no-op stand-in."""
    directory = DataDirectory(data)
    plan = StackPlan(data, find_project(), tenants=(TENANT,), noop=True)
    accounts = new_accounts([EXECUTOR], plan.tenants)
    users = nats_users(accounts, pool=POOL, executors=[EXECUTOR], tenants=plan.tenants)
    nats = LocalNats(directory.nats, users)
    await nats.start()
    device = DeviceRecord("noop-0", "noop:", "noop")
    executor = PythonChild(
        "pointsman.executor",
        executor_environment(plan, directory, accounts[EXECUTOR], nats.url, [device]),
        directory.log(EXECUTOR),
    )
    monkeypatch.setenv("POINTSMAN_NATS_URL", nats.url)
    monkeypatch.setenv("POINTSMAN_DATA", str(data))
    monkeypatch.setenv("POINTSMAN_REGISTRY", str(plan.project.registry))
    monkeypatch.setenv("POINTSMAN_TOGETHER_SERVICES", ",".join(SERVICES))
    passwords = {name: accounts[name].password for name in SERVICES}
    monkeypatch.setenv("POINTSMAN_TOGETHER_PASSWORDS", json.dumps(passwords))
    record = StackRecord(
        pointsman="", python="", pid=0, data=data, pool=POOL, started_at=0.0, ready=True,
        nats_url=nats.url, nats_version="", accounts=accounts, parts={},
    )  # fmt: skip
    scope = ServiceScope("services")
    try:
        await executor.start()
        together = Together(scope, Settings())
        await together.start()
        await asyncio.gather(*(housed.up() for housed in together.housed.values()))
        async with logged_in(record, CLI) as nc, followed_log(data) as log:
            stack = HousedStack(together, StackClient(nc, record), log, record)
            yield stack
        assert scope.failure is None, scope.failure
    finally:
        await scope.close()
        await executor.stop(5.0)
        await nats.stop(5.0)
        directory.release()


def view_rows(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every view, by file and table; the position of the view left out."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    for path in sorted((data / "views").glob("*.db")):
        with sqlite3.connect(path) as db:
            tables = [
                str(name)
                for (name,) in db.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table'"
                    " AND name NOT LIKE 'sqlite_%' AND name <> 'projection'"
                )
            ]
            for table in tables:
                found = db.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608 - our own names
                rows[f"{path.stem}.{table}"] = sorted(found, key=repr)
        db.close()
    return rows
