"""How often a follower of the log goes to work."""

import asyncio


class Pace:
    """Lets a burst of rounds through at once and bounds how many follow per second.

    What waits meanwhile is done in one round, which is cheaper.
    """

    def __init__(self, rounds_per_s: float, burst: float) -> None:
        self._rounds_per_s = rounds_per_s
        self._burst = burst
        self._credit = burst
        self._at = 0.0

    async def wait(self) -> None:
        """Count one round; return when the next one may begin."""
        now = asyncio.get_running_loop().time()
        earned = (now - self._at) * self._rounds_per_s
        self._credit = min(self._burst, self._credit + earned) - 1.0
        self._at = now
        if self._credit < 0.0:
            await asyncio.sleep(-self._credit / self._rounds_per_s)
