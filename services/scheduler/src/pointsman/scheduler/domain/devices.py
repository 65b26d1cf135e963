"""A device of the pool and its slots.

Lease and slot are two clocks: a lease says who may report an attempt, a slot says what the engine
may still be working on. A slot whose lease ended without a report stays `suspect` until the
report comes, the engine was seen idle, or the run deadline that the engine was given is over.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from pointsman.contracts.events import (
    DeviceAttached,
    DeviceDetached,
    DeviceResumed,
    DeviceSuspended,
    SlotReleased,
)

SlotKey = tuple[UUID, int]
"""Task and attempt."""


OfDevice = DeviceAttached | DeviceDetached | DeviceSuspended | DeviceResumed | SlotReleased
"""Events of a device's stream that say what may be granted to it."""


class DeviceStatus(StrEnum):
    """Whether anything may be granted to a device."""

    READY = "ready"
    SUSPENDED = "suspended"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class Slot:
    """What occupies a slot, and when the engine has given up on it at the latest."""

    variant: str
    free_at: float
    batch: str = ""
    """The call that it shares with others: they take one slot together."""


@dataclass(slots=True)
class Device:
    """A device as the log tells it; `held` and `suspect` hold what attempts take of its slots."""

    offer: DeviceAttached
    status: DeviceStatus = DeviceStatus.READY
    reason: str = ""
    suspended_for: str = ""
    """Why it was suspended; known until it resumes, also while nobody speaks for it."""
    held: dict[SlotKey, Slot] = field(default_factory=dict[SlotKey, Slot])
    suspect: dict[SlotKey, Slot] = field(default_factory=dict[SlotKey, Slot])
    last_variant: str | None = None
    slots_of: dict[str, int] = field(default_factory=dict[str, int])
    max_batch_of: dict[str, int] = field(default_factory=dict[str, int])
    occupied: int = field(default=0, init=False)
    """Slots that are not free."""
    _occupied_by: Counter[str] = field(default_factory=Counter[str], init=False)
    _members: Counter[str] = field(default_factory=Counter[str], init=False)

    def __post_init__(self) -> None:
        self._read_residency()
        for slot in (*self.held.values(), *self.suspect.values()):
            self._enter(slot)

    def attach(self, offer: DeviceAttached) -> None:
        """An executor offers the device again."""
        self.offer = offer
        self.status, self.reason, self.suspended_for = DeviceStatus.READY, "", ""
        self._read_residency()
        if offer.quiescent:
            self.idle()

    def take(self, event: DeviceDetached | DeviceSuspended | DeviceResumed) -> None:
        """Its status changed; that nobody speaks for it cures nothing."""
        match event:
            case DeviceDetached():
                self.status, self.reason = DeviceStatus.DETACHED, event.reason
            case DeviceSuspended():
                self.status, self.reason = DeviceStatus.SUSPENDED, event.reason
                self.suspended_for = event.reason
            case DeviceResumed():
                self.status, self.reason, self.suspended_for = DeviceStatus.READY, "", ""
                if event.quiescent:
                    self.idle()

    def idle(self) -> None:
        """The engine was seen with nothing in flight; a live lease may be about to call it."""
        for slot in self.suspect.values():
            self._leave(slot)
        self.suspect.clear()

    def occupy(self, key: SlotKey, slot: Slot) -> None:
        """An attempt was granted."""
        self.held[key] = slot
        self.last_variant = slot.variant
        self._enter(slot)

    def free(self, key: SlotKey) -> None:
        """The call of an attempt has ended; a shared one has when it has for all."""
        slot = self.held.pop(key, None) or self.suspect.pop(key, None)
        if slot is not None:
            self._leave(slot)

    def suspect_slot(self, key: SlotKey) -> None:
        """The lease ended, the call may not have."""
        slot = self.held.pop(key, None)
        if slot is not None:
            self.suspect[key] = slot

    def free_slots(self, variant: str) -> int:
        """Further calls of a variant that the device takes now; 0 if it is not loaded."""
        loaded = self.slots_of.get(variant, 0) - self._occupied_by[variant]
        return max(0, min(self.offer.slots - self.occupied, loaded))

    def _enter(self, slot: Slot) -> None:
        if slot.batch:
            self._members[slot.batch] += 1
            if self._members[slot.batch] > 1:
                return
        self.occupied += 1
        self._occupied_by[slot.variant] += 1

    def _leave(self, slot: Slot) -> None:
        if slot.batch:
            self._members[slot.batch] -= 1
            if self._members[slot.batch]:
                return
            del self._members[slot.batch]
        self.occupied -= 1
        self._occupied_by[slot.variant] -= 1

    def _read_residency(self) -> None:
        self.slots_of = {loaded.variant: loaded.slots for loaded in self.offer.residency}
        self.max_batch_of = {loaded.variant: loaded.max_batch for loaded in self.offer.residency}


class Devices(dict[str, Device]):
    """Devices of a pool by name."""

    def take(self, event: OfDevice) -> None:
        """A committed event of one device, which was attached before it."""
        if isinstance(event, DeviceAttached):
            if event.device in self:
                self[event.device].attach(event)
            else:
                self[event.device] = Device(offer=event)
        elif isinstance(event, SlotReleased):
            self.free(event.device, (UUID(event.task), event.attempt))
        elif event.device in self:
            self[event.device].take(event)

    def free(self, name: str, key: SlotKey) -> None:
        """The call of an attempt has ended, if the device is known."""
        device = self.get(name)
        if device is not None:
            device.free(key)
