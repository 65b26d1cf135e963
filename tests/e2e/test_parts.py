"""Inputs that are too long for one call, through real processes and real models."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pointsman.cli.stack.plan import EXECUTOR
from pointsman.contracts.commands import MAX_PAYLOAD_BYTES
from pointsman.testing.servers import triton_here
from tests.e2e.up import RunningUp, pointsman, running_up

pytestmark = pytest.mark.triton

LIMIT: Final = 96 * 1024
"""Of the summarisers, in the registry of the sample models."""
SPLIT: Final = ("--allow-degradation", "split")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    support = triton_here()
    if not support.ok:
        pytest.skip(str(support))
    with running_up(tmp_path_factory.mktemp("parts") / "data") as running:
        yield running


def book_of(size: int, tmp_path: Path) -> str:
    """A file of sentences in paragraphs."""
    gaps = (" " if number % 7 else "\n\n" for number in range(size // 30))
    text = "".join(f"Line {n} says what was seen that day.{gap}" for n, gap in enumerate(gaps))
    book = tmp_path / f"book-{size}.txt"
    book.write_text(text[:size])
    return str(book)


def answered(up: RunningUp, *arguments: str) -> Any:  # noqa: ANN401 - whatever a command prints
    done = pointsman(*arguments, "-o", "json", "--data", str(up.data))
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_text_beyond_a_message_and_a_call_is_summarised_in_parts(
    up: RunningUp, tmp_path: Path
) -> None:
    book = book_of(600_000, tmp_path)

    task = answered(up, "task", "submit", "summarize", "--file", book, *SPLIT, "--wait")
    told = " ".join(answered(up, "task", "why", task["task"])["sentences"])
    listed = answered(up, "task", "ls")

    assert task["payload"]["size"] == 600_000 > MAX_PAYLOAD_BYTES
    assert (task["state"], task["parts"]) == ("completed", 7)
    assert [part["state"] for part in task["part_rows"]] == ["completed"] * 7
    assert len(task["result_text"].split("\n\n")) == 7
    assert task["result"]["media_type"].endswith(";parts=7")
    assert "cut into 7 part(s)" in told
    assert "completed from 7 part(s)" in told
    assert [row["task"] for row in listed] == [task["task"]]


def test_who_does_not_allow_it_is_told_what_to_do(up: RunningUp, tmp_path: Path) -> None:
    book = book_of(LIMIT + 1, tmp_path)

    refused = pointsman("task", "submit", "summarize", "--file", book, "--data", str(up.data))

    assert refused.returncode != 0
    assert "input_too_large" in refused.stderr
    assert "split" in refused.stderr


def test_a_killed_executor_costs_no_part_and_doubles_none(up: RunningUp, tmp_path: Path) -> None:
    book = book_of(4 * LIMIT, tmp_path)
    slow = ("--param", "delay_ms=400")

    task = answered(up, "task", "submit", "summarize", "--file", book, *SPLIT, *slow)["task"]
    os.kill(up.record.parts[EXECUTOR].pid, signal.SIGKILL)
    pointsman("task", "watch", task, "--data", str(up.data))
    row = answered(up, "task", "get", task)

    assert row["state"] == "completed"
    parts = [part["state"] for part in row["part_rows"]]
    assert parts == ["completed"] * row["parts"]
    assert len(row["result_text"].split("\n\n")) == len(parts) > 3
