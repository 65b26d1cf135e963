"""The rungs of degradation, from the best service to the least."""

from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """How much quality a pool gives up for keeping its promises in time."""

    NORMAL = "normal"
    """The best variant is waited for until a task is due."""
    CONSERVE = "conserve"
    """A smaller variant that is free now is taken instead of waiting for the best."""
    DEGRADE = "degrade"
    """New grants take the next smaller variant that the caller allows."""
    SHED = "shed"
    """As `DEGRADE`; the lowest classes are refused as well."""


LEVELS: Final = tuple(Level)
"""From the best service to the least; a ladder moves between neighbours only."""
