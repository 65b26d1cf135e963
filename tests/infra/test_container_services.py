"""The services as plain processes with the variables of docker-compose.yml, and its server.conf."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pointsman.cli.stack.accounts import OBSERVER, producer
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.runtime.health import Health, HealthServer
from pointsman.runtime.servers import ServerProcess
from pointsman.testing.waiting import wait_until
from tests.architecture.source_tree import ROOT
from tests.infra.compose import environment, own_services, services
from tests.infra.conf_server import ConfServer, conf_server
from tests.infra.server_conf import password_variable

READY = ROOT / "infra/docker/ready.py"
EXAMPLE = ROOT / "examples/send_task.py"
DATA = services()["services"]["environment"]["POINTSMAN_DATA"]


async def run(*command: str | Path, **variables: str) -> tuple[int, str]:
    """Run a Python script; gives its exit status and what it wrote."""
    process: Process = await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, command),
        env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def ready(port: int) -> bool:
    status, _ = await run(READY, POINTSMAN_HEALTH_PORT=str(port))
    return status == 0


def outside(name: str, server: ConfServer, tmp: Path, port: int) -> dict[str, str]:
    """The environment of a container with the names that hold outside of it.

    Triton is replaced by the executor's stand-in, which runs no model.
    """
    replaced = {
        "POINTSMAN_NATS_URL": server.url,
        "POINTSMAN_HEALTH_PORT": str(port),
        "POINTSMAN_REGISTRY": str(ROOT / "infra/triton/registry.toml"),
        "POINTSMAN_ROUTING": str(ROOT / "infra/routing/routing.toml"),
        "POINTSMAN_EXECUTOR_DEVICES": "noop-0=noop:",
        "POINTSMAN_RESOURCE_MONITOR_METRICS": "",
    }
    given = environment(name, server.passwords)
    return {
        **{variable: value.replace(DATA, str(tmp / "data")) for variable, value in given.items()},
        **{variable: value for variable, value in replaced.items() if variable in given},
        "POINTSMAN_EXECUTOR_NOOP_VARIANTS": "summarize_lead",
    }


@asynccontextmanager
async def running(name: str, server: ConfServer, tmp: Path, port: int) -> AsyncGenerator[None]:
    (package,) = services()[name]["command"]
    launch = [sys.executable, "-P", "-m", package]
    variables = os.environ | outside(name, server, tmp, port)
    process = await ServerProcess.spawn(launch, log=tmp / f"{name}.log", environment=variables)

    async def ready_or_gone() -> bool:
        return not process.alive or await ready(port)

    try:
        await wait_until(ready_or_gone, timeout_s=60, message=f"{name} is ready")
        assert process.alive, process.log_tail()
        yield
        assert process.alive, process.log_tail()
    finally:
        await process.stop(10)


def logins(server: ConfServer) -> dict[str, object]:
    """What the page asks of whoever runs the example against containers."""
    accounts = {
        user: {
            "user": user,
            "password": server.passwords[password_variable(user)],
            "inbox_prefix": f"_INBOX_{user}",
        }
        for user in (OBSERVER, producer(DEFAULT_TENANT))
    }
    return {"nats_url": server.url, "accounts": accounts}


async def test_a_task_runs_through_the_services_of_the_file(
    tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(conf_server(tmp_path))
        for name in own_services():
            port = unused_tcp_port_factory()
            await stack.enter_async_context(running(name, server, tmp_path, port))
        (tmp_path / "logins.json").write_text(json.dumps(logins(server)), encoding="utf-8")

        status, output = await run(EXAMPLE, tmp_path / "logins.json", "Some text.")

    assert status == 0
    answer, event = (json.loads(line) for line in output.splitlines())
    assert answer["answer"]["status"] == "accepted"
    assert event["event"]["type"] == "task.completed.v1"
    assert "violation" not in (tmp_path / "nats.log").read_text(encoding="utf-8").lower()


async def test_the_health_check_tells_a_ready_service_from_one_that_is_not() -> None:
    health = Health()
    server = HealthServer(health, 0)
    await server.start()
    health.set("bus", ok=False, detail="not connected")

    before = await run(READY, POINTSMAN_HEALTH_PORT=str(server.port))
    health.set("bus", ok=True)
    after = await run(READY, POINTSMAN_HEALTH_PORT=str(server.port))
    await server.stop()
    gone = await run(READY, POINTSMAN_HEALTH_PORT=str(server.port))

    assert [status for status, _ in (before, after, gone)] == [1, 0, 1]
    assert "not connected" in before[1]
    assert f"does not answer on port {server.port}" in gone[1]
