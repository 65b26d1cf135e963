"""How long models take to be unloaded, which is a part of what a swap costs.

No registry says it, so that it counts from the first time that one was measured.
"""

from collections.abc import Iterable, Mapping


class UnloadTimes:
    """Measured unloads by variant, in seconds."""

    def __init__(self) -> None:
        self._totals: dict[str, tuple[int, float]] = {}
        self._count = 0
        self._seconds = 0.0

    @property
    def totals(self) -> Mapping[str, tuple[int, float]]:
        """Unloads and their seconds by variant, in the order in which they were first measured."""
        return self._totals

    @property
    def seconds(self) -> float:
        """Of all unloads together."""
        return self._seconds

    @property
    def mean_s(self) -> float:
        """Of all unloads; 0 before the first."""
        return self._seconds / self._count if self._count else 0.0

    def expected_s(self, variants: Iterable[str]) -> float:
        """Of several variants, one after the other; what was not measured takes the mean."""
        return sum((self._of(variant) for variant in variants), start=0.0)

    def unloaded(self, variant: str, unload_s: float) -> None:
        """Count an unload that has ended."""
        count, seconds = self._totals.get(variant, (0, 0.0))
        self._totals[variant] = count + 1, seconds + unload_s
        self._count += 1
        self._seconds += unload_s

    def restore(self, totals: Mapping[str, tuple[int, float]], seconds: float) -> None:
        """Go on from what another object of this kind had counted, with its sum of all."""
        self._totals = dict(totals)
        self._count = sum(count for count, _ in totals.values())
        # Not added up by variant: another order of the same figures gives another last digit.
        self._seconds = seconds

    def _of(self, variant: str) -> float:
        known = self._totals.get(variant)
        return self.mean_s if known is None else known[1] / known[0]
