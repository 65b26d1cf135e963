"""What a stack takes of the machine while it is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from pointsman.cli.stack.plan import POSTGRES
from pointsman.cli.stack.record import StackRecord

MOMENTS: Final = (0.1, 0.5, 1.0)
"""Shares of the tasks after which memory is read: what grows with them shows."""

_LOG: Final = "log.db"


@dataclass(slots=True)
class Readings:
    """What was taken before, and memory at the moments that have come."""

    record: StackRecord
    tasks: int
    cpu_s: dict[str, float]
    log_bytes: int
    rss_mib: dict[str, list[float]]
    cpu_ms_per_task: dict[str, float]
    """Processor time by part, once all tasks have ended."""

    @classmethod
    def of(cls, record: StackRecord, tasks: int) -> "Readings":
        """What has been taken before so many tasks."""
        memory: dict[str, list[float]] = {name: [] for name in record.parts}
        return cls(record, tasks, _cpu_s(record), _log_bytes(record.data), memory, {})

    def done(self, tasks: int) -> None:
        """So many tasks have ended."""
        if tasks == self.tasks:
            now = _cpu_s(self.record)
            for part, before in self.cpu_s.items():
                self.cpu_ms_per_task[part] = round((now[part] - before) * 1e3 / tasks, 4)
        for share in MOMENTS:
            if tasks == max(1, round(share * self.tasks)):
                for name, part in self.record.parts.items():
                    rss = psutil.Process(part.pid).memory_info().rss
                    self.rss_mib[name].append(round(rss / 2**20, 1))

    def log_bytes_per_event(self, events: int) -> float:
        """By how much the log has grown since then; so many events came."""
        return round((_log_bytes(self.record.data) - self.log_bytes) / max(1, events), 1)


def _cpu_s(record: StackRecord) -> dict[str, float]:
    """Processor time of each part since it started."""
    return {name: _part_cpu_s(name, part.pid) for name, part in record.parts.items()}


def _part_cpu_s(name: str, pid: int) -> float:
    process = psutil.Process(pid)
    # PostgreSQL works in a process of its own for each session.
    workers = process.children() if name == POSTGRES else []
    times = [each.cpu_times() for each in (process, *workers)]
    return sum(time.user + time.system for time in times)


def _log_bytes(data: Path) -> int:
    """Size of the log's file without what waits beside it for the next checkpoint."""
    path = data / _LOG
    return path.stat().st_size if path.exists() else 0


def memory_line(mode: str, rss_mib: Mapping[str, Sequence[float]]) -> str:
    """One line for people."""
    moments = ", ".join(f"{share:.0%}" for share in MOMENTS)
    parts = "; ".join(f"{part} {', '.join(map(str, read))}" for part, read in rss_mib.items())
    return f"{mode}, MiB of memory after {moments} of the tasks: {parts}"
