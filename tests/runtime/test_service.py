import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("service_under_test.py")

Process = asyncio.subprocess.Process
Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start() -> AsyncGenerator[Start]:
    processes: list[Process] = []

    async def begin(*arguments: str, **options: Any) -> Process:  # noqa: ANN401 - subprocess options
        environment = os.environ | {"POINTSMAN_LOG_FORMAT": "json"} | options.pop("env", {})
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            **options,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def end(process: Process) -> tuple[int, list[str], list[dict[str, Any]]]:
    """Exit status, what it said, and its log."""
    out, log = await process.communicate()
    assert process.returncode is not None
    return (
        process.returncode,
        out.decode().split("\n")[:-1],
        [json.loads(x) for x in log.splitlines()],
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_service_in_order(start: Start, number: signal.Signals) -> None:
    process = await start("orderly")
    assert await line(process) == "up"

    process.send_signal(number)

    status, said, log = await end(process)
    assert status == 0
    assert said == ["puller stopped", "work finished", "connection closed"]
    assert [entry["event"] for entry in log] == ["started", "stopping", "stopped"]
    assert log[1]["reason"] == number.name


async def test_a_crashed_background_task_ends_the_service(start: Start) -> None:
    process = await start("crashing")

    status, said, log = await end(process)

    assert status == 1
    assert said == ["up", "connection closed"]
    last = log[-1]
    assert (last["event"], last["level"], last["code"]) == ("failed", "critical", "crashed")
    assert "a defect" in last["error"]
    assert "exception" in last


@pytest.mark.parametrize("case", ["failing", "told"])
async def test_a_fatal_error_is_one_line_with_its_code_and_what_to_do(
    start: Start, case: str
) -> None:
    process = await start(case)

    status, _, log = await end(process)

    assert status == 1
    [failed] = [entry for entry in log if entry["level"] == "critical"]
    assert (failed["code"], failed["next_step"]) == ("disk_full", "Free some space.")
    assert "exception" not in failed
    assert failed["service"] == "tested"


async def test_an_ending_that_hangs_does_not_keep_the_others(start: Start) -> None:
    process = await start("hanging", "0.1")
    assert await line(process) == "up"

    process.terminate()

    status, said, log = await end(process)
    assert status == 0
    assert said == ["hanging", "connection closed"]
    assert "ending_late" in [entry["event"] for entry in log]


async def test_a_second_signal_gives_up_the_grace_period(start: Start) -> None:
    process = await start("hanging", "3600")
    assert await line(process) == "up"

    process.terminate()
    assert await line(process) == "hanging"
    process.terminate()

    status, said, _ = await end(process)
    assert (status, said) == (0, ["connection closed"])


async def test_a_service_that_is_still_starting_can_be_stopped(start: Start) -> None:
    process = await start("starting")
    assert await line(process) == "up"

    process.terminate()

    assert (await end(process))[0] == 0


async def test_the_service_ends_with_its_parent(start: Start) -> None:
    read_end, write_end = os.pipe()
    process = await start(
        "orderly", pass_fds=[read_end], env={"POINTSMAN_PARENT_FD": str(read_end)}
    )
    os.close(read_end)
    assert await line(process) == "up"

    os.close(write_end)

    status, said, log = await end(process)
    assert status == 0
    assert said[-1] == "connection closed"
    assert "the parent process is gone" in [entry.get("reason") for entry in log]


async def test_readiness_follows_the_life_of_the_service(start: Start) -> None:
    process = await start("hanging", env={"POINTSMAN_HEALTH_PORT": "0"})
    assert process.stderr is not None
    served = json.loads(await process.stderr.readline())
    assert served["event"] == "health_served"
    assert await line(process) == "up"
    assert json.loads(await process.stderr.readline())["event"] == "started"

    assert await _status(served["port"], "/ready") == 200
    process.terminate()
    assert await line(process) == "hanging"

    assert await _status(served["port"], "/ready") == 503
    assert await _status(served["port"], "/live") == 200
    process.terminate()
    assert (await end(process))[0] == 0


async def _status(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ")[1])
