"""The last values of something with their quantiles."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from math import ceil
from typing import Final

WINDOW: Final = 64
"""As many as run times are remembered."""


class RecentValues:
    """At most `WINDOW` values, kept sorted beside their order of arrival."""

    __slots__ = ("_last", "_sorted", "count")

    def __init__(self, values: Iterable[float] = (), *, count: int | None = None) -> None:
        self._last = deque(values, maxlen=WINDOW)
        self._sorted = sorted(self._last)
        self.count = len(self._last) if count is None else count
        """Values ever added."""

    def __len__(self) -> int:
        return len(self._last)

    @property
    def window(self) -> tuple[float, ...]:
        """Oldest first."""
        return tuple(self._last)

    def add(self, value: float) -> None:
        self.count += 1
        if len(self._last) == WINDOW:
            del self._sorted[bisect_left(self._sorted, self._last[0])]
        self._last.append(value)
        insort(self._sorted, value)

    def quantile(self, share: float) -> float:
        """The nearest rank; raises `IndexError` while there is no value."""
        return self._sorted[max(0, ceil(share * len(self._sorted)) - 1)]
