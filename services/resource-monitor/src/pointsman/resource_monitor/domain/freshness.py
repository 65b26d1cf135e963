"""How old an input is, and whether that is too old to say anything."""

from collections import deque
from typing import Final

from pointsman.contracts.telemetry import POOL_EVERY_S, STALE_PERIODS

_KEPT: Final = 64


def fresh(at: float | None, *, now: float, every_s: float) -> bool:
    """Whether something of time `at` that comes every `every_s` can be used."""
    return at is not None and now - at <= STALE_PERIODS * every_s


class FeedProgress:
    """How far behind the log the feed is.

    A pool's leader says every second which position it has folded; once the feed has come there,
    it was complete up to the time of that reading. Silence of both is no sign of an idle pool.
    """

    def __init__(self) -> None:
        self.position = 0
        self.complete_at: float | None = None
        """Everything up to this time was taken in."""
        self._waiting: deque[tuple[float, int]] = deque(maxlen=_KEPT)

    def took(self, position: int) -> None:
        """The feed was taken in up to `position`."""
        self.position = max(self.position, position)
        while self._waiting and self._waiting[0][1] <= self.position:
            self._reached(self._waiting.popleft()[0])

    def leader_at(self, position: int, at: float) -> None:
        """A leader had folded everything up to `position`."""
        if position <= self.position:
            self._reached(at)
        else:
            self._waiting.append((at, position))

    def fresh(self, now: float) -> bool:
        return fresh(self.complete_at, now=now, every_s=POOL_EVERY_S)

    def _reached(self, at: float) -> None:
        self.complete_at = at if self.complete_at is None else max(self.complete_at, at)
