"""Who decides what a device has loaded; apart from the events, which a supervisor does not need."""

from enum import StrEnum


class DeviceMode(StrEnum):
    """Who decides what is loaded on a device."""

    FIXED = "fixed"
    """Its engine: it serves what it has loaded."""
    DEDICATED = "dedicated"
    """The leader: one model at a time has the whole device."""
    SHARED = "shared"
    """The leader: several models as far as memory goes."""
