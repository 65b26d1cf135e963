"""How long a scheduler takes to know its pool: `python -m pointsman.scheduler.measure_start`.

Run by `pointsman bench takeover` in a process of its own, so that memory is what one start takes.
"""

import argparse
import asyncio
import contextlib
import resource
import sys
import time
from pathlib import Path
from typing import Final, Self

import msgspec

from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.sqlite import SqliteEventStore
from pointsman.runtime.clock import SystemClock
from pointsman.runtime.collector import collector_at_rest
from pointsman.scheduler.adapters.snapshot_files import SnapshotFiles
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.folding import Folding
from pointsman.scheduler.leading.pool_snapshots import newest_snapshot, take_snapshot
from pointsman.scheduler.leading.take_lead import Candidate

_STATUS: Final = Path("/proc/self/status")
_TICK_S: Final = 0.0005


async def measure(data: Path, name: str, *, use: bool, take: bool) -> dict[str, object]:
    """Know a pool from the log in `data`, with or without a snapshot, and maybe write one."""
    snapshots = SnapshotFiles(data / "snapshots")
    pool, codec = Pool(name), EventCodec()
    async with SqliteEventStore(data / "log.db") as store:
        await store.read(0, limit=1)
        before_mib = _rss_mib("VmRSS")
        began = time.perf_counter()
        folding = Folding(pool, store, codec, on_broken=_broken)
        with collector_at_rest():
            if use:
                await newest_snapshot(pool, store, snapshots)
            restored, restored_s = pool.applied_to, time.perf_counter() - began
            await folding.start()
        folded, folded_s = pool.applied_to - restored, time.perf_counter() - began - restored_s
        await Candidate(pool, store, codec, SystemClock(), holder="measured").elected()
        seconds = time.perf_counter() - began
        await folding.stop()
        figures: dict[str, object] = {
            "seconds": round(seconds, 3),
            "snapshot_s": round(restored_s, 3),
            "fold_s": round(folded_s, 3),
            "election_s": round(seconds - folded_s - restored_s, 3),
            "folded_events": folded,
            "open_tasks": len(pool.tasks),
            "rss_mib": round(_rss_mib("VmRSS") - before_mib, 1),
            "peak_rss_mib": round(_rss_mib("VmHWM") - before_mib, 1),
        }
        if take:
            began = time.perf_counter()
            async with _LongestPause() as pause:
                await take_snapshot(pool, store, snapshots)
            figures["taken_s"] = round(time.perf_counter() - began, 3)
            figures["longest_pause_ms"] = round(pause.seconds * 1000, 2)
            figures["snapshot_mib"] = _newest_mib(data / "snapshots")
    return figures


def _broken(error: Exception) -> None:
    raise error


class _LongestPause:
    """How late the event loop was at the most for a callback that is always due."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(0.05)
        self.seconds = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _watch(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.perf_counter()
            self.seconds = max(self.seconds, now - last - _TICK_S)
            last = now


def _newest_mib(directory: Path) -> float:
    newest = max(directory.glob("*.snapshot"))
    return round(newest.stat().st_size / 2**20, 1)


def _rss_mib(field: str) -> float:
    """Resident memory now (`VmRSS`) or at its greatest (`VmHWM`)."""
    if not _STATUS.exists():
        # Where there is no such file, the greatest ever is all that can be known.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = _STATUS.read_text("ascii", errors="replace").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def main() -> int:
    """Print the figures as JSON; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--pool", default="main")
    parser.add_argument("--use-snapshot", action="store_true")
    parser.add_argument("--take-snapshot", action="store_true")
    arguments = parser.parse_args()
    figures = asyncio.run(
        measure(
            arguments.data,
            arguments.pool,
            use=arguments.use_snapshot,
            take=arguments.take_snapshot,
        )
    )
    sys.stdout.write(f"{msgspec.json.encode(figures).decode()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
