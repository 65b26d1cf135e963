"""The supervisor with its real children."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pointsman.cli.failures import ExitCode
from pointsman.cli.stack.child import PythonChild
from pointsman.cli.stack.keeper import Keeper, PartFailedError
from pointsman.testing.waiting import wait_until
from tests.cli.command_line import POINTSMAN, CommandLine, RunningUp, environment, running_up

PARTS = ["nats", "services", "executor-1"]
SUPERVISOR_MB = 45
SERVICES_MB = 250
ROOT = Path(__file__).parents[2]


def rss_mb(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1e6


def state_of(up: RunningUp, part: str) -> tuple[int, int]:
    """Process id and number of starts."""
    found = up.record["parts"][part]
    return found["pid"], found["starts"]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes
    )


def test_the_record_names_every_part_and_is_for_the_owner_only(stack: RunningUp) -> None:
    record = stack.record

    assert record["ready"] is True
    assert list(record["parts"]) == PARTS
    assert all(psutil.pid_exists(part["pid"]) for part in record["parts"].values())
    assert {"cli", "producer-acme", "producer-globex"} <= record["accounts"].keys()
    assert (stack.data / "stack.json").stat().st_mode & 0o777 == 0o600
    assert {f"{part}.log" for part in PARTS} <= {p.name for p in (stack.data / "logs").iterdir()}


def test_what_the_stack_keeps_is_for_its_owner_only(stack: RunningUp) -> None:
    CommandLine(stack.data).json("task", "submit", "embed", "text", "--wait")
    kept = [path for path in stack.data.rglob("*") if not path.is_symlink()]

    open_to_others = [path for path in (stack.data, *kept) if path.stat().st_mode & 0o077]

    assert {"log.db", "blobs"} <= {path.name for path in kept}
    assert open_to_others == []


async def test_a_stack_that_waits_says_for_what(tmp_path: Path) -> None:
    said = tmp_path / "said"
    options = ["--triton", "grpc://127.0.0.1:1", "--data", str(tmp_path / "data")]
    with said.open("w") as stderr:
        process = await asyncio.create_subprocess_exec(
            *POINTSMAN, "up", *options, env=environment(), stderr=stderr
        )
    try:
        await wait_until(lambda: "still waiting for device" in said.read_text(), timeout_s=30)
    finally:
        process.terminate()
        status = await process.wait()

    assert status == ExitCode.OK
    assert "attached-0 at grpc://127.0.0.1:1" in said.read_text()


def test_the_stack_is_small(stack: RunningUp) -> None:
    services = rss_mb(stack.pid("services")) + rss_mb(stack.pid("executor-1"))

    assert rss_mb(stack.process.pid) <= SUPERVISOR_MB
    assert rss_mb(stack.process.pid) + services <= SERVICES_MB


def test_no_password_is_on_a_command_line(stack: RunningUp) -> None:
    passwords = [account["password"] for account in stack.record["accounts"].values()]

    lines = [" ".join(process.cmdline()) for process in stack.processes()]

    assert not [line for line in lines for password in passwords if password in line]


def test_the_executor_is_not_told_where_the_log_lies(stack: RunningUp) -> None:
    variables = psutil.Process(stack.pid("executor-1")).environ()

    assert "POINTSMAN_DATA" not in variables
    assert variables["POINTSMAN_EXECUTOR_BLOBS"] == str(stack.data / "blobs")


def test_a_directory_in_use_is_refused_and_its_holder_named(stack: RunningUp) -> None:
    done = CommandLine(stack.data)("up", "--noop", "-o", "json")

    error = json.loads(done.stdout)["error"]
    assert done.returncode == ExitCode.CONFLICT
    assert error["code"] == "directory_in_use"
    assert str(stack.process.pid) in error["message"]


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_is_killed_comes_back_and_work_goes_on(tmp_path: Path, part: str) -> None:
    data = tmp_path / "data"
    with running_up(data) as up:
        pointsman = CommandLine(data)
        before = state_of(up, part)

        os.kill(before[0], signal.SIGKILL)
        await wait_until(lambda: state_of(up, part)[1] == 2, timeout_s=20)
        shown = await asyncio.to_thread(
            pointsman.json, "task", "submit", "embed", "after", "--wait"
        )

        assert state_of(up, part)[0] != before[0]
        assert shown["state"] == "completed"


async def test_stopping_leaves_nothing_running_and_the_next_start_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_up(data) as up:
        task = CommandLine(data).json("task", "submit", "embed", "kept", "--wait")["task"]
        processes = up.processes()

        assert up.stop() == ExitCode.OK

        assert gone(processes)
        assert not (data / "stack.json").exists()
    with running_up(data):
        assert CommandLine(data).json("task", "get", task)["result_text"] == "kept"


async def test_a_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_up(data) as up:
        processes = up.processes()

        up.process.kill()
        up.process.wait()

        await wait_until(lambda: gone(processes), timeout_s=30)
        assert CommandLine(data)("device", "ls").returncode == ExitCode.UNREACHABLE
    with running_up(data):
        assert CommandLine(data).json("device", "ls")[0]["state"] == "ready"


async def test_children_that_outlived_their_supervisor_are_ended_first(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_up(data) as up:
        stopped = psutil.Process(up.pid("services"))
        # A stopped process reads no end of its pipe, and still holds the log.
        stopped.suspend()
        up.process.kill()
        up.process.wait()
        with running_up(data):
            assert gone([stopped])


def test_a_part_that_cannot_start_ends_the_stack_with_its_last_words(tmp_path: Path) -> None:
    done = subprocess.run(
        [*POINTSMAN, "up", "--noop", "--data", str(tmp_path / "data"), "-o", "json"],
        env={**environment(), "POINTSMAN_LOG_LEVEL": "shouting"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    error = json.loads(done.stdout)["error"]
    assert done.returncode == ExitCode.FAILURE
    assert error["code"] == "part_failed"
    assert "log_level" in error["message"]
    assert "logs" in error["next"]
    assert not (tmp_path / "data" / "stack.json").exists()


class Listener:
    """What a keeper says, and how often it started its part."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.starts = 0

    def keeper(self, part: PythonChild) -> Keeper:
        def started() -> None:
            self.starts += 1

        return Keeper("part", part, say=self.said.append, on_start=started, clock=time.monotonic)

    def pauses(self) -> list[str]:
        return [line for line in self.said if "starting it again" in line]


def child(tmp_path: Path, source: str) -> PythonChild:
    (tmp_path / "part_under_test.py").write_text(source)
    variables = {**environment(), "PYTHONPATH": str(tmp_path)}
    return PythonChild("part_under_test", variables, tmp_path / "part.log")


async def test_a_child_hears_the_end_of_the_pipe_that_its_parent_holds(tmp_path: Path) -> None:
    source = "import os\nos.read(int(os.environ['POINTSMAN_PARENT_FD']), 1)\n"
    parent = f"""
import asyncio, os, sys
from pathlib import Path
from tests.cli.test_stack import child
async def main():
    part = child(Path({str(tmp_path)!r}), {source!r})
    await part.start()
    print(part.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    orphan = psutil.Process(int(await process.stdout.readline()))

    process.kill()
    await process.wait()

    await wait_until(lambda: gone([orphan]))


async def test_a_child_that_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    source = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "while True: time.sleep(60)\n"
    )
    part = child(tmp_path, source)
    await part.start()
    await wait_until(lambda: "deaf" in part.log.read_text())

    await part.stop(0.1)

    assert await part.wait() == -signal.SIGKILL


async def test_a_part_that_always_fails_at_its_start_is_given_up(tmp_path: Path) -> None:
    listener = Listener()
    keeper = listener.keeper(child(tmp_path, "raise SystemExit('no such luck')"))
    await keeper.start()

    with pytest.raises(PartFailedError, match="no such luck"):
        await keeper.keep()

    assert listener.starts == 5
    delays = [line.rsplit(" in ", 1)[1] for line in listener.pauses()]
    assert delays == ["0.2 s", "0.4 s", "0.8 s", "1.6 s"]


async def test_a_part_that_only_waits_for_its_database_is_not_given_up(tmp_path: Path) -> None:
    words = {"event": "failed", "code": "database_unreachable", "error": "-", "next_step": "wait"}
    listener = Listener()
    source = f"import json, sys\nprint(json.dumps({words!r}))\nsys.exit(1)\n"
    keeper = listener.keeper(child(tmp_path, source))
    await keeper.start()

    keeping = asyncio.create_task(keeper.keep())
    await wait_until(lambda: len(listener.pauses()) == 5, timeout_s=20)
    given_up = keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)

    assert listener.starts == 5
    assert not given_up


async def test_a_part_that_is_killed_again_and_again_is_not_given_up(tmp_path: Path) -> None:
    listener = Listener()
    part = child(tmp_path, "import time\nwhile True: time.sleep(60)\n")
    keeper = listener.keeper(part)
    await keeper.start()
    keeping = asyncio.create_task(keeper.keep())

    for starts in range(1, 4):
        part.kill()
        await wait_until(lambda starts=starts: listener.starts > starts)

    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await part.stop(1)
    assert "SIGKILL" in listener.said[0]
    assert re.fullmatch(r"part is running again \(process \d+\)", listener.said[1])
