"""How full the room for data is, and what follows: warn, then take nothing new.

The room is what the data takes together with what is free beside it, so that a large disk with
other people's files on it is not full because of them; a budget makes the room smaller.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WARN_AT: Final = 0.80
REFUSE_AT: Final = 0.95
"""What is left lets running work finish and its results be stored."""

EASE: Final = 0.02
"""A state ends only this far below where it began, so that it does not come and go."""


class Room(StrEnum):
    """What the disk allows."""

    AMPLE = "ample"
    SCARCE = "scarce"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class DiskReading:
    """Bytes at one moment."""

    used: int
    """By the data."""
    free: int
    """Beside it, on the same file system."""
    budget: int | None = None
    """The most that the data may take."""

    @property
    def share(self) -> float:
        """How much of the room is taken, 0 to 1 and beyond."""
        room = self.used + self.free
        of_room = self.used / room if room else 1.0
        return max(of_room, self.used / self.budget) if self.budget else of_room


def next_room(before: Room, share: float) -> Room:
    """The state after a reading."""
    refuse_at = REFUSE_AT - EASE if before is Room.FULL else REFUSE_AT
    if share >= refuse_at:
        return Room.FULL
    warn_at = WARN_AT if before is Room.AMPLE else WARN_AT - EASE
    return Room.SCARCE if share >= warn_at else Room.AMPLE
