"""How long a variant takes: windowed quantiles of measured runs, the registry before that.

Completed runs count, and those that timed out with their timeout. A window of the last 64 follows
a change of load within a minute at one run a second and is small enough to keep sorted.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from math import ceil
from typing import Final

_WINDOW: Final = 64
_ENOUGH: Final = 5
"""Below this many runs the registry's figures are the better guess."""

_MEDIAN: Final = 0.5


class RunTimes:
    """Run times of one variant in seconds."""

    __slots__ = ("_known", "_last", "_prior_p50_s", "_prior_p99_s", "_sorted", "runs")

    def __init__(self, *, prior_p50_s: float, prior_p99_s: float) -> None:
        self._prior_p50_s = prior_p50_s
        self._prior_p99_s = prior_p99_s
        self._last: deque[float] = deque()
        self._sorted: list[float] = []
        self._known: dict[float, float] = {}
        self.runs = 0
        """Runs ever counted."""

    def expect(self, *, prior_p50_s: float, prior_p99_s: float) -> None:
        """Take other figures of the registry; measured runs stay."""
        self._prior_p50_s = prior_p50_s
        self._prior_p99_s = prior_p99_s
        self._known.clear()

    @property
    def measured(self) -> bool:
        """Whether the quantiles come from runs."""
        return len(self._last) >= _ENOUGH

    @property
    def settled(self) -> bool:
        """Whether the window is full, so that its tail means something."""
        return len(self._last) == _WINDOW

    def add(self, run_s: float) -> None:
        """Count one run; one that timed out counts with its timeout, a lower bound."""
        self.runs += 1
        self._known.clear()
        last, ordered = self._last, self._sorted
        if len(last) == _WINDOW:
            del ordered[bisect_left(ordered, last.popleft())]
        last.append(run_s)
        insort(ordered, run_s)

    @property
    def window(self) -> tuple[float, ...]:
        """The runs that quantiles come from, oldest first."""
        return tuple(self._last)

    def restore(self, runs: int, window: Iterable[float]) -> None:
        """Go on from what another object of this kind had counted."""
        self.runs = runs
        self._last = deque(window)
        self._sorted = sorted(self._last)
        self._known.clear()

    def quantile(self, share: float) -> float:
        """The nearest-rank quantile; the registry's p50 or p99 while too few runs are known."""
        # Asked several times for each grant, and it changes with each end only.
        known = self._known.get(share)
        if known is None:
            ordered = self._sorted
            if len(ordered) >= _ENOUGH:
                known = ordered[max(0, ceil(share * len(ordered)) - 1)]
            else:
                known = self._prior_p50_s if share <= _MEDIAN else self._prior_p99_s
            self._known[share] = known
        return known

    @property
    def p50_s(self) -> float:
        """Median."""
        return self.quantile(_MEDIAN)

    @property
    def p90_s(self) -> float:
        """What latest starts are computed with."""
        return self.quantile(0.9)

    @property
    def p99_s(self) -> float:
        """What timeouts are computed with."""
        return self.quantile(0.99)
