"""A log folded and nothing else: does it lead to a state, and how fast?"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypedDict

from pointsman.eventstore.archive_segment import ArchiveDamagedError
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.log_rows import LogRow, row_pages
from pointsman.eventstore.reading import DamagedEventError, NewerEventError
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.moments import EmptyLogError
from pointsman.time_machine.pool_log import PoolLog, pools_of
from pointsman.time_machine.progress import Progress, pages_told
from pointsman.time_machine.replay.stops import (
    Stopped,
    before_gap,
    broken_off,
    not_fitting,
    unreadable,
)


class Folded(TypedDict):
    """What `replay` prints where nothing is decided again."""

    pools: list[str]
    events: int
    """Events read; each pool folds those that concern it."""
    stopped: Stopped | None
    """The first place where a fold ended before the log did."""
    fold_events_per_s: float
    """Events read, decoded and folded, over the time that this took for all pools."""
    seconds: float


class Folding:
    """Takes the whole log in order for one pool, up to where it cannot be folded."""

    def __init__(self, pool: str) -> None:
        self.pool: Final = Pool(pool)
        self.stopped: Stopped | None = None
        self.read_to = 0
        """Position of the last event that was folded or is none of the pool."""
        self._log = PoolLog(self.pool)

    def run(self, pages: Iterable[list[LogRow]]) -> None:
        """Raises what reading raises where not even the first page can be read."""
        try:
            for page in pages:
                self._take(page)
                if self.stopped is not None:
                    return
        except (LogUnreadableError, ArchiveDamagedError) as error:
            if not self.read_to:
                raise
            self.stopped = broken_off(self.read_to + 1, error)

    def _take(self, page: Sequence[LogRow]) -> None:
        rows, gap = before_gap(page, self.read_to)
        try:
            self._log.fold(rows)
        except (NewerEventError, DamagedEventError) as error:
            self.stopped = unreadable(error)
        except Exception as error:  # noqa: BLE001 - the event follows from no decision
            position = self.pool.applied_to + 1
            self.stopped = not_fitting(position, rows[position - rows[0][0]][3], error)
        else:
            self.stopped = gap
        self.read_to = self.pool.applied_to


def fold_log(log: Path, *, pools: Sequence[str] = (), progress: Progress | None = None) -> Folded:
    """Fold some pools of a log, or all that were ever led.

    Raises `EmptyLogError`, and what `row_pages` raises where it cannot be read at all.
    """
    led = list(pools) or pools_of(log)
    if not led and next(row_pages(log), None) is None:
        raise EmptyLogError(log)
    # Also where nobody was ever led: what is missing of the log is told all the same.
    runs = [Folding(pool) for pool in led or [""]]
    began = time.perf_counter()
    for run in runs:
        run.run(pages_told(log, progress))
    seconds = time.perf_counter() - began
    events = max((run.read_to for run in runs), default=0)
    stops = [run.stopped for run in runs if run.stopped is not None]
    return {
        "pools": led,
        "events": events,
        "stopped": min(stops, key=lambda stopped: stopped.position, default=None),
        "fold_events_per_s": round(events / seconds, 1) if events else 0.0,
        "seconds": round(seconds, 3),
    }
