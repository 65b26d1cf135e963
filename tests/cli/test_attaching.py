"""A further device for a stack that runs: joins, works, leaves, comes back."""

import json
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from pointsman.cli.failures import ExitCode
from pointsman.testing.waiting import wait_until
from tests.cli.command_line import POINTSMAN, CommandLine, environment, running_up


@contextmanager
def attached(data: Path, *args: str) -> Generator[dict[str, Any]]:
    """`pointsman device attach noop:` from when it has said that it is ready until SIGTERM."""
    process = subprocess.Popen(
        [*POINTSMAN, "device", "attach", "noop:", "--data", str(data), "-o", "jsonl", *args],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield cast("dict[str, Any]", json.loads(process.stdout.readline()))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def states(pointsman: CommandLine) -> dict[str, str]:
    rows = cast("list[dict[str, str]]", pointsman.json("device", "ls"))
    return {row["device"]: row["state"] for row in rows}


async def test_a_device_joins_a_running_stack_works_and_leaves_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_up(data):
        pointsman = CommandLine(data)
        with attached(data, "--name", "gpu-7", "--mode", "dedicated") as first:
            joined = states(pointsman)
            taken = pointsman("device", "attach", "noop:", "--name", "gpu-7", "-o", "json")
        await wait_until(lambda: states(pointsman)["gpu-7"] != "ready", timeout_s=30)
        with attached(data, "--name", "gpu-7") as again:
            back = states(pointsman)

    assert first == again == {"device": "gpu-7", "executor": "executor-2"}
    assert joined == back == {"noop-0": "ready", "gpu-7": "ready"}
    assert taken.returncode == ExitCode.CONFLICT
    assert json.loads(taken.stdout)["error"]["code"] == "device_exists"


def test_a_device_cannot_be_attached_to_a_stack_that_does_not_run(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("device", "attach", "noop:")

    assert done.returncode == ExitCode.UNREACHABLE


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("device", "attach", "http://localhost:8000")

    assert done.returncode == ExitCode.USAGE
    assert "grpc://HOST:PORT" in done.stderr
