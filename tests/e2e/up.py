"""`pointsman up` as a person runs it: a foreground process with a terminal's signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from pointsman.cli.stack.record import StackRecord, read_record

_STOP_S: Final = 60
_POINTSMAN: Final = (sys.executable, "-m", "pointsman.cli")


def environment() -> dict[str, str]:
    """Ours without what would lead a command to another stack."""
    return {name: v for name, v in os.environ.items() if not name.startswith("POINTSMAN_")}


def pointsman(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [*_POINTSMAN, *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


@dataclass(frozen=True)
class RunningUp:
    """A `pointsman up` that has said that it is ready."""

    process: subprocess.Popen[str]
    data: Path

    @property
    def record(self) -> StackRecord:
        """`stack.json` as it is now."""
        record = read_record(self.data)
        assert record is not None
        return record

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def rss_mb(self, part: str | None = None) -> float:
        """Resident memory of a part, or of the supervisor."""
        pid = self.process.pid if part is None else self.record.parts[part].pid
        return float(psutil.Process(pid).memory_info().rss) / 1e6

    def interrupt(self) -> int:
        """Ctrl-C: SIGINT to the whole foreground group; gives the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(_STOP_S)

    def kill(self) -> None:
        """End the supervisor alone as `kill -9` does."""
        self.process.kill()
        self.process.wait(_STOP_S)


@contextmanager
def running_up(data: Path, *arguments: str) -> Generator[RunningUp]:
    """Start `pointsman up`, wait until it is ready, and interrupt it at the end if it still runs.

    What it says goes to `<data>.said`.
    """
    with Path(f"{data}.said").open("a", encoding="utf-8") as said:
        process = subprocess.Popen(
            [*_POINTSMAN, "up", "--data", str(data), "-o", "jsonl", *arguments],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            # A group of its own, as a shell gives each job.
            process_group=0,
        )
    assert process.stdout is not None
    up = RunningUp(process, data)
    try:
        line = process.stdout.readline()
        assert line, Path(said.name).read_text(encoding="utf-8")
        assert json.loads(line)["pid"] == process.pid
        yield up
    finally:
        if process.poll() is None:
            up.interrupt()
        process.stdout.close()


def gone(processes: list[psutil.Process]) -> bool:
    return not any(
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes
    )
