"""Results of tasks, text or not."""

import base64
from pathlib import Path

from pointsman.cli.failures import ExitCode
from tests.cli.command_line import CommandLine, completed_task


def test_a_result_that_is_no_text_is_written_as_it_is(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(b"\xff\x00 not text")

    shown = pointsman.json(
        "task", "submit", "embed", "--file", str(sent), "--wait", "--result", str(got)
    )

    assert got.read_bytes() == sent.read_bytes()
    assert shown["result_text"] is None
    assert base64.b64decode(shown["result_base64"]) == sent.read_bytes()


def test_a_result_on_standard_output_stands_alone(pointsman: CommandLine) -> None:
    task = completed_task(pointsman)

    done = pointsman("task", "get", task, "--result", "-")

    assert (done.returncode, done.stdout) == (ExitCode.OK, "Some text.")


def test_a_task_without_a_result_says_why_there_is_none(pointsman: CommandLine) -> None:
    done = pointsman(
        "task", "submit", "embed", "x", "--deadline", "1ms", "--wait", "--result", "-"
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (ExitCode.TASK_FAILED, "")
    assert "expired" in done.stderr
