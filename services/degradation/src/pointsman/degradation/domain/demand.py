"""Demand as a share of what the best variants carry, from a leader's counters."""

import math
from collections.abc import Mapping
from typing import Final

from pointsman.contracts.telemetry import FamilyLoad, PoolSample

TAU_S: Final = 5.0
"""Time constant of the average: after an overload that was twice what the best variants carry it
falls below 0.8 within 8 s of half load, and at two tasks a second its noise is about 20 %."""

_LEAST_PER_S: Final = 0.01
"""Less than one task in 100 s is no demand; an average never reaches zero."""


class Demand:
    """Tasks asked for per second and family, averaged; takes samples in order of their time.

    What the ladder refuses counts as well: it would come back as soon as it is taken again. What an
    operator keeps back does not, before he lets it go: until then it asks for no device.
    """

    def __init__(self) -> None:
        self._at: float | None = None
        self._accepted: dict[str, int] = {}
        self._kept_back: dict[str, int] = {}
        self._per_s: dict[str, float] = {}
        self._measured = False

    def rate(self, family: str) -> float:
        """Tasks accepted or refused by the ladder, per second."""
        return self._per_s.get(family, 0.0)

    def sampled(self, sample: PoolSample) -> None:
        """Take the next sample; one that is not later than the last is passed over."""
        before_at = self._at
        if before_at is not None and sample.at <= before_at:
            return
        self._at = sample.at
        kept_back = {load.family: load.kept_back for load in sample.families}
        now = {load.family: load.accepted + load.refused for load in sample.families}
        if any(now.get(family, count) < count for family, count in self._accepted.items()):
            # Another leader counts from zero: there is no difference to be had this once.
            self._accepted = now
        elif before_at is not None:
            self._take_differences(now, kept_back, sample.at - before_at)
            self._measured = True
        # A family that is left out of a sample goes on counting from where it was.
        self._accepted |= now
        self._kept_back |= kept_back

    def _take_differences(
        self, now: Mapping[str, int], kept_back: Mapping[str, int], passed_s: float
    ) -> None:
        weight = 1.0 - math.exp(-passed_s / TAU_S)
        for family, before in self._accepted.items():
            before_back = self._kept_back.get(family, 0)
            more_back = max(0, kept_back.get(family, before_back) - before_back)
            rate = max(0, now.get(family, before) - before - more_back) / passed_s
            # The first difference is the average so far; starting at zero would hide an overload.
            old = self._per_s.get(family, rate)
            self._per_s[family] = old + weight * (rate - old)

    def load_at_best(self, sample: PoolSample) -> float | None:
        """The greatest load over families with demand; None before there is a difference."""
        if not self._measured:
            return None
        return max((self._load(each) for each in sample.families), default=0.0)

    def _load(self, family: FamilyLoad) -> float:
        rate = self.rate(family.family)
        if rate < _LEAST_PER_S or family.best_slots <= 0:
            # Where nothing serves a family, no level brings it nearer to being served.
            return 0.0
        return rate * family.best_service_s / family.best_slots
