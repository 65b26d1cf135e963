"""Moments of the log's past."""

from dataclasses import dataclass

from pointsman.contracts.recorded import Recorded

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything up to a position, or up to a time; neither: now."""

    position: int | None = None
    time: float | None = None

    def admits(self, event: Recorded) -> bool:
        """Whether the event had happened; positions and times grow together."""
        if self.position is not None:
            return event.position <= self.position
        return self.time is None or event.time_us <= round(self.time * _MICROSECONDS)
