"""How long a variant takes: windowed quantiles of measured runs, the registry before that.

Completed runs count, and those that timed out with their timeout.
"""

from collections.abc import Iterable
from typing import Final

from pointsman.policy.recent_values import WINDOW, RecentValues

_ENOUGH: Final = 5
"""Below this many runs the registry's figures are the better guess."""

_MEDIAN: Final = 0.5


class RunTimes:
    """Run times of one variant in seconds."""

    __slots__ = ("_known", "_last", "_prior_p50_s", "_prior_p99_s", "runs")

    def __init__(self, *, prior_p50_s: float, prior_p99_s: float) -> None:
        self._prior_p50_s = prior_p50_s
        self._prior_p99_s = prior_p99_s
        self._last = RecentValues()
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
        return self.runs >= _ENOUGH

    @property
    def settled(self) -> bool:
        """Whether the window is full, so that its tail means something."""
        return self.runs >= WINDOW

    def add(self, run_s: float) -> None:
        """Count one run; one that timed out counts with its timeout, a lower bound."""
        self.runs += 1
        self._known.clear()
        self._last.add(run_s)

    @property
    def window(self) -> tuple[float, ...]:
        """The runs that quantiles come from, oldest first."""
        return self._last.window

    def restore(self, runs: int, window: Iterable[float]) -> None:
        """Go on from what another object of this kind had counted."""
        self.runs = runs
        self._last = RecentValues(window)
        self._known.clear()

    def quantile(self, share: float) -> float:
        """The nearest-rank quantile; the registry's p50 or p99 while too few runs are known."""
        # Asked several times for each grant, and it changes with each end only.
        known = self._known.get(share)
        if known is None:
            if self.measured:
                known = self._last.quantile(share)
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
