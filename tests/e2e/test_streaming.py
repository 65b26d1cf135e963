"""Text and progress of real models are watched, also when what runs them is killed.

A text begins anew then; long work goes on where it stood.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import psutil
import pytest

from pointsman.cli.stack.plan import EXECUTOR
from pointsman.testing.servers import triton_here
from tests.e2e.up import RunningUp, environment, pointsman, running_up

pytestmark = pytest.mark.triton

COLD = ("--param", "temperature=0", "--param", "max_tokens=40")

WORDS: Final = (
    ("deadlock", "mutex", "semaphore", "scheduler", "thread"),
    ("harvest", "orchard", "tractor", "barley", "meadow"),
    ("sonata", "violin", "quartet", "rehearsal", "melody"),
)
LINES: Final = "\n".join(
    f"The {first} and the {second}, then another {first}."
    for subject in WORDS
    for first, second in product(subject, subject)
    if first != second
)
LONG_WORK: Final = ("cluster", LINES, "--param", "clusters=7", "--param", "starts=12")
FAR_ENOUGH: Final = 0.4


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


@pytest.fixture(scope="module")
def uninterrupted(up: RunningUp) -> str:
    """What the long work gives when nothing happens."""
    ended = pointsman("task", "submit", *LONG_WORK, "--wait", "-o", "json", "--data", str(up.data))
    return str(json.loads(ended.stdout)["result_text"])


@pytest.mark.parametrize("victim", [EXECUTOR, "triton-0"])
def test_long_work_whose_holder_is_killed_goes_on_and_gives_the_same_result(
    up: RunningUp, uninterrupted: str, victim: str
) -> None:
    wish = (*LONG_WORK, "--param", "step_delay_ms=60", "--stream", "-o", "jsonl")
    watching = subprocess.Popen(
        [sys.executable, "-m", "pointsman.cli", "task", "submit", *wish, "--data", str(up.data)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    told: list[dict[str, Any]] = []
    while not told or (told[-1].get("progress") or 0.0) < FAR_ENOUGH:
        told.append(json.loads(watching.stdout.readline()))

    psutil.Process(up.record.parts[victim].pid).kill()
    told += [json.loads(line) for line in watching.stdout]
    watching.stdout.close()

    *parts, task = told
    went_on = [part["progress"] for part in parts if part["attempt"] == 2 and part["progress"]]
    why = pointsman("task", "why", task["task"], "--data", str(up.data))
    assert watching.wait() == 0
    assert (task["state"], task["attempts"]) == ("completed", 2)
    assert task["result_text"] == uninterrupted
    assert went_on == sorted(went_on)
    assert went_on[0] > 0.0
    assert "It goes on from checkpoint" in why.stdout, why.stderr


def text_of(parts: list[dict[str, Any]], attempt: int) -> str:
    return "".join(part["text"] for part in parts if part["attempt"] == attempt)


def executor_of(up: RunningUp) -> psutil.Process:
    (executor,) = [
        process for process in up.processes() if "pointsman.executor" in process.cmdline()
    ]
    return executor
