"""How well a share is known: the score interval of Wilson (1927).

For scores between 0 and 1 their sum stands for the successes. A score varies at most as much as
a yes or no of the same mean, so the interval is then wider than it had to be, never narrower.
"""

from statistics import NormalDist
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.60
"""Of each interval. Two of them that do not overlap are a weaker claim about one variant, but a
stronger one about the difference: see ADR 9 for the simulation that chose it."""

Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """Bounds of a share, 0 to 1."""

    low: float
    high: float


def wilson(successes: float, trials: int, z: float = Z) -> Interval:
    """The score interval; everything is possible without trials."""
    if trials == 0:
        return Interval(0.0, 1.0)
    share = successes / trials
    spread = z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / trials + spread / (4 * trials)) ** 0.5
    return Interval(max(0.0, centre - half), min(1.0, centre + half))
