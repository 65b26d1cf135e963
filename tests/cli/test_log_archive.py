"""`log archive` as a person uses it, while no stack runs."""

import time
from pathlib import Path

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.eventstore import SqliteEventStore
from tests.cli.command_line import CommandLine
from tests.support.ended_tasks import HEAD, ended_tasks, fill


@pytest.fixture
async def pointsman(tmp_path: Path) -> CommandLine:
    """On a log whose events are two hours old."""

    def two_hours_ago() -> int:
        return int((time.time() - 7200) * 1e6)

    (tmp_path / "data").mkdir()
    async with SqliteEventStore(tmp_path / "data" / "log.db", clock=two_hours_ago) as store:
        await fill(store)
    return CommandLine(tmp_path / "data")


def test_ended_tasks_are_moved_and_the_log_is_still_what_was_written(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    moved = pointsman.json("log", "archive", "--before", str(HEAD))
    again = pointsman.json("log", "archive", "--before", "2100-01-01")
    checked = pointsman.json("verify")
    pointsman.json("backup", str(tmp_path / "backup"))

    assert moved["tasks"] >= len(ended_tasks()) - 1
    assert [path.name for path in (tmp_path / "data" / "archive").iterdir()] == moved["segments"]
    assert again["tasks"] <= 1
    assert (checked["ok"], checked["events"]) == (True, HEAD)
    assert pointsman.json("verify", "--data", str(tmp_path / "backup"))["events"] == HEAD


def test_a_directory_without_a_log_is_told(tmp_path: Path) -> None:
    refused = CommandLine(tmp_path / "nowhere")("log", "archive", "--before", "5")

    assert refused.returncode == ExitCode.NOT_FOUND
    assert "there is no log" in refused.stderr
