"""A further device for a stack that runs: joins, works, leaves, comes back."""

import json
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

from pointsman.cli.failures import ExitCode
from pointsman.testing.waiting import wait_until
from tests.cli.command_line import POINTSMAN, CommandLine, environment, running_up


@dataclass(frozen=True)
class Attached:
    """A `pointsman device attach` that has said that its device is ready."""

    pid: int
    told: dict[str, Any]

    @property
    def executor(self) -> psutil.Process | None:
        """The process below it, if there is one now."""
        return next(iter(psutil.Process(self.pid).children()), None)


@contextmanager
def attached(data: Path, *args: str) -> Generator[Attached]:
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
        told = cast("dict[str, Any]", json.loads(process.stdout.readline()))
        yield Attached(process.pid, told)
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

    assert first.told == again.told == {"device": "gpu-7", "executor": "executor-2"}
    assert joined == back == {"noop-0": "ready", "gpu-7": "ready"}
    assert taken.returncode == ExitCode.CONFLICT
    assert json.loads(taken.stdout)["error"]["code"] == "device_exists"


async def test_a_device_stays_while_its_command_runs_whatever_is_started_again(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    pointsman = CommandLine(data)
    with running_up(data) as up, attached(data, "--name", "gpu-7") as guest:
        killed = guest.executor
        assert killed is not None
        killed.kill()
        await wait_until(
            lambda: guest.executor not in {None, killed} and states(pointsman)["gpu-7"] == "ready",
            timeout_s=30,
        )
        second = guest.executor

        up.stop()
        with running_up(data):
            await wait_until(lambda: states(pointsman).get("gpu-7") == "ready", timeout_s=30)
            third = guest.executor

    assert len({killed, second, third}) == 3


def test_a_device_cannot_be_attached_to_a_stack_that_does_not_run(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("device", "attach", "noop:")

    assert done.returncode == ExitCode.UNREACHABLE


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("device", "attach", "http://localhost:8000")

    assert done.returncode == ExitCode.USAGE
    assert "grpc://HOST:PORT" in done.stderr
