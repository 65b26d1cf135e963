"""The example that other systems start from, run as its header says."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from tests.cli.command_line import RunningUp

EXAMPLE = Path(__file__).parents[2] / "examples" / "send_task.py"


def imported_packages() -> set[str]:
    nodes = list(ast.walk(ast.parse(EXAMPLE.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)


def run_example(stack: RunningUp, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE), str(stack.data / "stack.json"), *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_example_needs_nothing_but_nats() -> None:
    assert imported_packages() == {"nats"}


def test_the_example_hears_the_answer_and_the_end_of_its_task(stack: RunningUp) -> None:
    done = run_example(stack, "Some text.", "acme")

    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["answer"]["status"] == "accepted"
    assert second["event"]["subject"] == first["answer"]["task"]
    assert second["event"]["type"] == "task.completed.v1"


def test_the_example_shows_why_a_task_was_refused(stack: RunningUp) -> None:
    done = run_example(stack, "", "acme")

    assert done.returncode == 1, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["answer"]["code"] == "invalid_task"
