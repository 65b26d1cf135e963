"""Readings on `pm.tel`: lossy by design, and never a reason by themselves.

Whoever decides on one writes what it used into its own event.
"""

from pointsman.contracts.message import Message

POOL_EVERY_S = 1.0
"""How often a pool's leader publishes a `PoolSample`."""
READING_EVERY_S = 1.0
"""How often the resource monitor publishes a `DeviceReading` of each device."""
STALE_PERIODS = 3
"""A reading that is older than so many periods is unknown."""


class FamilyLoad(Message, frozen=True):
    """One family as the leader of a pool sees it."""

    family: str
    queued: int
    """Not those that wait for their time, for other tasks or for an operator: they are no load."""
    accepted: int
    """Tasks accepted since the leader began to lead; differences give the demand."""
    best: str
    """Its best variant that some ready device serves; empty if none does."""
    best_slots: int
    """Calls of it that ready devices run at the same time."""
    best_service_s: float
    """Median run time of it."""
    predicted_wait_s: float | None
    """Until a task accepted now starts, with the variants in use; None: nothing serves.

    What an operator keeps back (`kept_back`) is not before it.
    """
    refused: int = 0
    """Tasks that the ladder refused at the door since the leader began to lead."""
    load_wait_s: float | None = None
    """Where nothing serves it: the same after a load by the leader; None: none is possible.

    Until a device is free for the load is not in it.
    """
    load_s: float = 0.0
    """The load in `load_wait_s`: no other variant and no smaller queue makes it much shorter."""
    kept_back: int = 0
    """Of `queued`, those of which an operator lets none start now: by a pause or a limit, or by
    draining all devices that could run them."""


class SlotLoad(Message, frozen=True):
    """Slots of one device."""

    device: str
    state: str
    slots: int
    occupied: int


class PoolSample(Message, frozen=True):
    """Published on `pm.tel.pool.<pool>` every second by the leader."""

    pool: str
    at: float
    applied_to: int
    queued: int
    granted: int
    families: tuple[FamilyLoad, ...] = ()
    devices: tuple[SlotLoad, ...] = ()
    paused: bool = False
    """An operator lets it grant nothing."""


class DeviceReading(Message, frozen=True):
    """Published on `pm.tel.device.<device>` every second by the resource monitor; not quantised."""

    device: str
    at: float
    source: str
    state: str
    utilisation: float | None = None
    memory: float | None = None
    memory_total_mib: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    sample: str = ""
    """The latest `device.sampled` of the device."""
