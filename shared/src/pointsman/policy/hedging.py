"""Hedges: a second attempt of a task beside one that takes longer than nearly all before it.

The first result counts. A call that is stuck then costs its task little more than the usual time,
and the pool a slot that nobody else wants. Source: Dean & Barroso, "The Tail at Scale" (CACM 2013),
where waiting for the 95th percentile keeps the additional load at a few percent; a budget keeps it
there when everything is slow at once and a second attempt would be slow as well.
"""

from typing import Final, NamedTuple

from pointsman.policy.run_times import RunTimes

USUAL: Final = 0.95
"""Share of runs that end within the usual time."""

LEAST_WAIT_S: Final = 0.05
"""Sooner than this a second attempt would hardly be on its way before the first has ended."""

MOST_SAVED: Final = 5.0
"""Hedges that a pool saves up at the most: a quiet year is no reason for a thousand at once."""

# Shares are added up in binary.
_ROUNDING: Final = 1e-9


class Usual(NamedTuple):
    """After how long an attempt takes longer than nearly all, and how many runs say so."""

    wait_s: float
    runs: int


def usual_wait(runs: RunTimes, turnaround: RunTimes) -> Usual | None:
    """None as long as the window is not full: the tail of a few runs says nothing.

    `turnaround` is what a slot is taken for beyond the run.
    """
    if not runs.settled:
        return None
    wait_s = runs.quantile(USUAL) + turnaround.quantile(USUAL)
    return Usual(max(LEAST_WAIT_S, wait_s), runs.runs)


class HedgeBudget:
    """What a pool may spend on hedges: each request earns a share of one.

    Of `n` requests no more than `share * n` are hedged, counted from any moment on no more than
    `MOST_SAVED` above that.
    """

    __slots__ = ("allowance",)

    def __init__(self) -> None:
        self.allowance = 0.0
        """Hedges that could be granted now."""

    def earn(self, share: float) -> None:
        """A request was accepted."""
        if share:
            self.allowance = min(MOST_SAVED, self.allowance + share)

    def spend(self) -> None:
        """A hedge was granted."""
        self.allowance = max(0.0, self.allowance - 1.0)

    @property
    def suffices(self) -> bool:
        """Whether one may be granted."""
        return self.allowance >= 1.0 - _ROUNDING
