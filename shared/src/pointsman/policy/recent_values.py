"""The last values of something with their quantiles."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from math import ceil
from typing import Final

WINDOW: Final = 64
"""Values that are remembered: a window that follows a change of load within a minute at one run a
second, and is small enough to keep sorted."""


class RecentValues:
    """At most `WINDOW` values, beside their order of arrival sorted while somebody asks."""

    __slots__ = ("_asked", "_last", "_sorted", "count")

    def __init__(self, values: Iterable[float] = (), *, count: int | None = None) -> None:
        self._last = deque(values, maxlen=WINDOW)
        self._sorted: list[float] | None = None
        self._asked = False
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
        last, ordered = self._last, self._sorted
        if ordered is not None:
            # Most windows are asked less often than added to: sorting one now and then takes less
            # time than keeping it sorted. Where each value is followed by a question it does not.
            if self._asked:
                if len(last) == WINDOW:
                    del ordered[bisect_left(ordered, last[0])]
                insort(ordered, value)
                self._asked = False
            else:
                self._sorted = None
        last.append(value)

    def quantile(self, share: float) -> float:
        """The nearest rank; raises `IndexError` while there is no value."""
        self._asked = True
        ordered = self._sorted
        if ordered is None:
            ordered = self._sorted = sorted(self._last)
        return ordered[max(0, ceil(share * len(ordered)) - 1)]
