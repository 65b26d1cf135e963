"""The machine's randomness."""

import random


class SystemDraws:
    """Draws from the process's own generator; each draw that decides is recorded in its event."""

    def __init__(self) -> None:
        self._random = random.Random()

    def uniform(self) -> float:
        """Uniform in [0, 1)."""
        return self._random.random()
