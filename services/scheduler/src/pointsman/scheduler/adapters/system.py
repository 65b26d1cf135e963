"""The machine's clocks and randomness."""

import random
import time


class SystemClock:
    """Wall and monotonic time of this host."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()


class SystemDraws:
    """Draws from the process's own generator; each draw that decides is recorded in its event."""

    def __init__(self) -> None:
        self._random = random.Random()

    def uniform(self) -> float:
        """Uniform in [0, 1)."""
        return self._random.random()
