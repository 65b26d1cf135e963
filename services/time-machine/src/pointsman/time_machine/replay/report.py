"""A log verified, pool by pool, and what is told of it."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypedDict

from pointsman.eventstore.archive_segment import ArchiveDamagedError
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.log_rows import row_pages
from pointsman.time_machine.moments import EmptyLogError
from pointsman.time_machine.pool_log import pools_of
from pointsman.time_machine.progress import Progress, pages_told
from pointsman.time_machine.replay.differences import Difference
from pointsman.time_machine.replay.stops import Stopped, broken_off
from pointsman.time_machine.replay.verification import SHOWN, Verification

_NOBODY: Final = ""


class Replay(TypedDict):
    """Counts are of events; a decision that several events tell of counts as many."""

    pools: list[str]
    events: int
    """That were read: all of the log, unless the replay stopped."""
    decisions: int
    verified: int
    different: int
    differences: list[Difference]
    """The first of them, by position."""
    unrecorded: int
    beyond_window: int
    not_redecided: dict[str, int]
    stopped: Stopped | None
    """Counts as a difference. The figures are of what stands before it."""
    fold_events_per_s: float
    """Events read, decoded and folded, over the time that this took."""
    decisions_per_s: float
    """Decisions made again and compared, over the time that this took."""
    seconds: float


def verify_log(
    log: Path,
    *,
    pools: Sequence[str] = (),
    first: int = 1,
    last: int | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Verify decisions at positions `first` to `last` of some pools, or of all that were ever led.

    A log that cannot be read to its end, or lacks events, is verified up to there. Raises
    `EmptyLogError`, and what `row_pages` raises where it cannot be read at all.
    """
    began = time.perf_counter()
    led = pools_of(log)
    if not led and next(row_pages(log), None) is None:
        raise EmptyLogError(log)
    runs: list[Verification] = []
    # Also where nobody was ever led: what is missing of the log is told all the same.
    for pool in pools or led or [_NOBODY]:
        # Models are of every pool, and events of other services of none: they count once.
        runs.append(Verification(pool, first=first, last=last, owns_shared=not runs))
        _run(runs[-1], log, progress)
    return _report(runs, time.perf_counter() - began)


def _run(verification: Verification, log: Path, progress: Progress | None) -> None:
    began = time.perf_counter()
    try:
        for page in pages_told(log, progress):
            verification.folding_s += time.perf_counter() - began
            verification.take(page)
            if verification.stopped is not None:
                return
            began = time.perf_counter()
    except (LogUnreadableError, ArchiveDamagedError) as error:
        if not verification.read_to:
            raise
        verification.break_off(broken_off(verification.read_to + 1, error))
    else:
        verification.end()


def _report(runs: Sequence[Verification], seconds: float) -> Replay:
    not_redecided: Counter[str] = Counter()
    found: list[Difference] = []
    for run in runs:
        not_redecided += run.not_redecided
        found += run.differences
    stops = [run.stopped for run in runs if run.stopped is not None]
    events, decisions = sum(run.events for run in runs), sum(run.decisions for run in runs)
    return {
        "pools": [run.pool.name for run in runs if run.pool.name != _NOBODY],
        "events": runs[0].events if runs else 0,
        "decisions": decisions,
        "verified": sum(run.verified for run in runs),
        "different": sum(run.different for run in runs),
        "differences": sorted(found, key=lambda each: each.position)[:SHOWN],
        "unrecorded": sum(run.unrecorded for run in runs),
        "beyond_window": sum(run.beyond_window for run in runs),
        "not_redecided": dict(not_redecided.most_common()),
        "stopped": min(stops, key=lambda stopped: stopped.position, default=None),
        "fold_events_per_s": _rate(events, sum(run.folding_s for run in runs)),
        "decisions_per_s": _rate(decisions, sum(run.deciding_s for run in runs)),
        "seconds": round(seconds, 3),
    }


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds else 0.0
