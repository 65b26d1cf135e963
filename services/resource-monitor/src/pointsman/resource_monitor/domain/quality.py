"""Measured quality of families, and how far it fell."""

from collections import deque
from typing import Final

from pointsman.contracts.events import MeasuredQuality
from pointsman.resource_monitor.domain.alert_rules import QUALITY_DROP, RULE_OF

_RULE: Final = RULE_OF[QUALITY_DROP]
WINDOW_S: Final = _RULE.window_s


class FamilyQuality:
    """Mean of a family's ratings over its variants, weighted by their number."""

    def __init__(self) -> None:
        self._variants: dict[str, MeasuredQuality] = {}
        # Each value holds until the next one; None: of fewer ratings than count.
        self._values: deque[tuple[float, float | None]] = deque()

    def measured(self, quality: MeasuredQuality, at: float) -> None:
        self._variants[quality.variant] = quality
        ratings = sum(each.ratings for each in self._variants.values())
        if ratings == 0:
            self._values.clear()
            return
        mean = sum(each.mean * each.ratings for each in self._variants.values()) / ratings
        self._values.append((at, mean if ratings >= _RULE.least else None))

    def drop(self, now: float) -> float | None:
        """Best value of the window less the latest; None while too little is rated."""
        while len(self._values) > 1 and self._values[1][0] <= now - WINDOW_S:
            self._values.popleft()
        latest = self._values[-1][1] if self._values else None
        if latest is None:
            return None
        return max(value for _, value in self._values if value is not None) - latest


class QualityWindow:
    """All families."""

    def __init__(self) -> None:
        self._families: dict[str, FamilyQuality] = {}

    def measured(self, family: str, quality: MeasuredQuality, at: float) -> None:
        self._families.setdefault(family, FamilyQuality()).measured(quality, at)

    def drops(self, now: float) -> dict[str, float | None]:
        return {family: quality.drop(now) for family, quality in self._families.items()}
