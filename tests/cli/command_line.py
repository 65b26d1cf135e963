"""The command line as tests use it: real processes, as a person would start them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

POINTSMAN = (sys.executable, "-m", "pointsman.cli")
_TIMEOUT_S = 60


def environment() -> dict[str, str]:
    """Ours without what would lead a command to another stack."""
    return {name: v for name, v in os.environ.items() if not name.startswith("POINTSMAN_")}


@dataclass(frozen=True)
class CommandLine:
    """Runs commands against one data directory."""

    data: Path

    def __call__(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*POINTSMAN, *args],
            env={**environment(), "POINTSMAN_DATA": str(self.data)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )

    def json(self, *args: str) -> Any:  # noqa: ANN401 - whatever document the command prints
        """The document that a command prints with `-o json`; it must succeed."""
        done = self(*args, "-o", "json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)


def completed_task(pointsman: CommandLine, *args: str) -> str:
    """The id of a new task that has completed."""
    shown = pointsman.json("task", "submit", "summarize", "Some text.", "--wait", *args)
    return str(shown["task"])


@dataclass(frozen=True)
class RunningUp:
    """A `pointsman up` that has said that it is ready."""

    process: subprocess.Popen[str]
    data: Path

    @property
    def record(self) -> dict[str, Any]:
        """`stack.json` as it is now."""
        return cast("dict[str, Any]", json.loads((self.data / "stack.json").read_text()))

    def pid(self, part: str) -> int:
        return int(self.record["parts"][part]["pid"])

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def stop(self) -> int:
        """Ask it to end; gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_TIMEOUT_S)


@contextmanager
def running_up(data: Path, *args: str) -> Generator[RunningUp]:
    """Start `pointsman up --noop` and stop it at the end, if it still runs."""
    process = subprocess.Popen(
        [*POINTSMAN, "up", "--noop", "--data", str(data), "-o", "jsonl", *args],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    up = RunningUp(process, data)
    try:
        line = process.stdout.readline()
        assert json.loads(line)["pid"] == process.pid, line
        yield up
    finally:
        if process.poll() is None:
            up.stop()
        process.stdout.close()
