"""Demand of a family: what was accepted per bucket, and what the next bucket may bring.

The naive forecast (the next bucket is as the last one) stands beside the average, so that anyone
can see whether the average is worth anything. Errors are WAPE: sum of absolute errors over sum of
demand. The state is the fold of `ForecastMade`, which holds the measured bucket as well.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pointsman.contracts.events import ForecastMade

BUCKET_S: Final = 10.0
BUCKETS: Final = 30
"""Errors stand on so many buckets; a family without demand for as long is forecast no more."""
ALPHA: Final = 0.3
"""Weight of the newest bucket: half of the average is of the last 20 s, nine tenths of the last
65 s, so a change of load shows within a minute and one odd bucket moves it by less than a third."""

# A bucket that ends between two readings of the clock still belongs to the same grid.
_GRID_TOLERANCE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Measurement:
    """A bucket that was forecast before it began; all per second."""

    measured: float
    ewma: float
    naive: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of one family after its latest forecast."""

    latest: ForecastMade
    history: tuple[Measurement, ...] = ()
    idle: int = 0
    """Buckets in a row without demand."""


def evolve(before: Outlook | None, event: ForecastMade) -> Outlook:
    idle = 0 if event.measured_per_s > 0 else (before.idle if before else 0) + 1
    history = _history(before, event.measured_per_s, event.at)
    return Outlook(event, history, idle)


def forecast(
    family: str, before: Outlook | None, measured_per_s: float, *, end: float, applied_to: int
) -> ForecastMade | None:
    """The forecast at the end of a bucket; None for a family that has no demand (any more)."""
    if before is not None and end - before.latest.at > BUCKETS * BUCKET_S:
        before = None
    if measured_per_s == 0 and (before is None or before.idle >= BUCKETS):
        return None
    if before is None:
        average = measured_per_s
    else:
        average = ALPHA * measured_per_s + (1 - ALPHA) * before.latest.ewma_per_s
    history = _history(before, measured_per_s, end)
    return ForecastMade(
        at=end,
        applied_to=applied_to,
        family=family,
        bucket_s=BUCKET_S,
        measured_per_s=measured_per_s,
        ewma_per_s=average,
        naive_per_s=measured_per_s,
        ewma_wape=wape([(each.measured, each.ewma) for each in history]),
        naive_wape=wape([(each.measured, each.naive) for each in history]),
        buckets=len(history),
    )


def wape(pairs: list[tuple[float, float]]) -> float | None:
    """Sum of absolute errors over sum of demand; None where there was no demand."""
    demand = sum(measured for measured, _ in pairs)
    if demand <= 0:
        return None
    return sum(abs(measured - expected) for measured, expected in pairs) / demand


def _history(before: Outlook | None, measured: float, end: float) -> tuple[Measurement, ...]:
    if before is None:
        return ()
    gap_s = end - before.latest.at - BUCKET_S
    if abs(gap_s) > _GRID_TOLERANCE_S:
        # The forecast was for a bucket that nobody measured.
        return before.history
    latest = Measurement(measured, before.latest.ewma_per_s, before.latest.naive_per_s)
    return (*before.history, latest)[-BUCKETS:]


class AcceptedCounts:
    """Accepted tasks per bucket and family, from the first whole bucket after `start` on.

    Buckets lie on multiples of `BUCKET_S`. A task that becomes known after its bucket was closed
    counts in the open one: none is lost.
    """

    def __init__(self, start: float) -> None:
        self._first = self._open = int(start // BUCKET_S) + 1
        self._counts: dict[int, Counter[str]] = {}

    def accepted(self, family: str, at: float) -> None:
        bucket = int(at // BUCKET_S)
        if bucket < self._open:
            if bucket < self._first:
                return
            bucket = self._open
        counts = self._counts.get(bucket)
        if counts is None:
            counts = self._counts[bucket] = Counter()
        counts[family] += 1

    @property
    def end(self) -> float:
        """When the open bucket ends."""
        return (self._open + 1) * BUCKET_S

    @property
    def open_counts(self) -> Mapping[str, int]:
        """Of the open bucket."""
        return self._counts.get(self._open, Counter())

    def close(self) -> None:
        """Go on to the next bucket."""
        self._counts.pop(self._open, None)
        self._open += 1
