"""The machine's clocks, as a port and as they are."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for what is recorded, one for how long something lasts."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...


class SystemClock:
    """Implements `Clock`: wall and monotonic time of this host."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()
