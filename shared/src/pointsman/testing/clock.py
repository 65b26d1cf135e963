"""A clock that stands still until a test moves it."""

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    """Implements `runtime.clock.Clock`."""

    now: float = 1_767_268_800.0
    """2026-01-01 12:00 UTC."""
    ticks: float = 1_000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.ticks

    def passes(self, seconds: float) -> None:
        """Move both clocks."""
        self.now += seconds
        self.ticks += seconds
