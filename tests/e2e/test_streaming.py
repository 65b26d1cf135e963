"""A text is watched while a real model writes it, also when its executor is killed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from pointsman.testing.servers import triton_here
from tests.e2e.up import RunningUp, environment, pointsman, running_up

pytestmark = pytest.mark.triton

COLD = ("--param", "temperature=0", "--param", "max_tokens=40")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    support = triton_here()
    if not support.ok:
        pytest.skip(str(support))
    data = tmp_path_factory.mktemp("streaming") / "data"
    with running_up(data) as running:
        yield running


def streaming(up: RunningUp, *options: str) -> list[str]:
    return [
        "task", "submit", "generate", "The lock", "--stream", "-o", "jsonl", *COLD, *options,
        "--data", str(up.data),
    ]  # fmt: skip


def test_the_parts_are_the_result(up: RunningUp) -> None:
    shown = pointsman(*streaming(up, "--param", "token_delay_ms=20"))
    *parts, task = [json.loads(line) for line in shown.stdout.splitlines()]

    assert task["state"] == "completed", shown.stderr
    assert "".join(part["text"] for part in parts) == task["result_text"]
    assert 1 < len(parts) < 40
    assert [part["outcome"] for part in parts if part["outcome"]] == ["completed"]


def test_a_killed_executor_begins_the_text_anew(up: RunningUp) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "pointsman.cli", *streaming(up, "--param", "token_delay_ms=60")],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    told = [json.loads(watching.stdout.readline()) for _ in range(3)]

    executor_of(up).kill()
    told += [json.loads(line) for line in watching.stdout]
    watching.stdout.close()

    *parts, task = told
    assert watching.wait() == 0
    assert (task["state"], task["attempts"]) == ("completed", 2)
    assert [part["attempt"] for part in parts] == sorted(part["attempt"] for part in parts)
    assert {part["attempt"] for part in parts} == {1, 2}
    assert text_of(parts, 2) == task["result_text"]
    # The same seed and temperature: the second attempt writes what the first would have.
    assert task["result_text"].startswith(text_of(parts, 1))


def text_of(parts: list[dict[str, Any]], attempt: int) -> str:
    return "".join(part["text"] for part in parts if part["attempt"] == attempt)


def executor_of(up: RunningUp) -> psutil.Process:
    (executor,) = [
        process for process in up.processes() if "pointsman.executor" in process.cmdline()
    ]
    return executor
