"""What the ratings of one family teach: which variant is better, and how good results are.

A lesson is a function of the ratings that count, in the order in which they were given. So that
withdrawing some leaves exactly what there would be had they never been given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.feedback.domain.intervals import Interval, wilson

MIN_RATINGS: Final = 50
"""Of each variant before they are compared: the first ratings are looked at most often, and each
look is another chance of a wrong turn (ADR 9)."""

_NEWEST_SHARE: Final = 0.05
"""Weight of the newest rating in the average: it follows about the last forty."""


@dataclass(slots=True)
class Tally:
    """The ratings of one variant."""

    ratings: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.ratings if self.ratings else 0.0

    @property
    def interval(self) -> Interval:
        return wilson(self.total, self.ratings)


class Lesson:
    """The fold of one family's ratings."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self._better: set[tuple[str, str]] = set()
        self._weight = 0.0
        self._weighted = 0.0

    @property
    def ratings(self) -> int:
        return sum(tally.ratings for tally in self.tallies.values())

    @property
    def average(self) -> float | None:
        """Exponentially weighted, newest first; None without ratings."""
        return self._weighted / self._weight if self._weight else None

    def count(self, variant: str, value: float) -> None:
        """Take the next rating, 0 to 1."""
        tally = self.tallies.setdefault(variant, Tally())
        tally.ratings += 1
        tally.total += value
        self._weight = self._weight * (1 - _NEWEST_SHARE) + _NEWEST_SHARE
        self._weighted = self._weighted * (1 - _NEWEST_SHARE) + _NEWEST_SHARE * value
        self._compare(variant)

    def order(self, registered: Sequence[str]) -> tuple[str, ...]:
        """The preferred order of the variants with enough ratings; empty: as registered.

        `registered` is the registry's order, best first. It is left only where a variant has
        proved better than one before it.
        """
        rated = [variant for variant in registered if self._enough(variant)]
        left, order = list(rated), list[str]()
        while left:
            # Somebody is always free: whoever has the greatest mean is worse than nobody.
            free = next(v for v in left if not any((w, v) in self._better for w in left))
            left.remove(free)
            order.append(free)
        return () if order == rated else tuple(order)

    def _enough(self, variant: str) -> bool:
        tally = self.tallies.get(variant)
        return tally is not None and tally.ratings >= MIN_RATINGS

    def _compare(self, changed: str) -> None:
        """Intervals that part make one variant better, until its mean is so no more."""
        self._better = {
            (better, worse)
            for better, worse in self._better
            if self.tallies[better].mean > self.tallies[worse].mean
        }
        if not self._enough(changed):
            return
        own = self.tallies[changed].interval
        for other, tally in self.tallies.items():
            if other != changed and self._enough(other):
                if own.low > tally.interval.high:
                    self._better.add((changed, other))
                elif tally.interval.low > own.high:
                    self._better.add((other, changed))
