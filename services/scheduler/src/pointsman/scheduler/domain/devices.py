"""A device of the pool and its slots.

Lease and slot are two clocks: a lease says who may report an attempt, a slot says what the engine
may still be working on. A slot whose lease ended without a report stays `suspect` until the
report comes, the engine was seen idle, or the run deadline that the engine was given is over.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from pointsman.contracts.events import (
    DeviceAttached,
    DeviceDetached,
    DeviceResumed,
    DeviceSuspended,
)

SlotKey = tuple[UUID, int]
"""Task and attempt."""


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


@dataclass(slots=True)
class Device:
    """A device as the log tells it."""

    offer: DeviceAttached
    status: DeviceStatus = DeviceStatus.READY
    reason: str = ""
    suspended_for: str = ""
    """Why it was suspended; known until it resumes, also while nobody speaks for it."""
    held: dict[SlotKey, Slot] = field(default_factory=dict[SlotKey, Slot])
    suspect: dict[SlotKey, Slot] = field(default_factory=dict[SlotKey, Slot])
    last_variant: str | None = None
    slots_of: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self._read_residency()

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
        self.suspect.clear()

    def occupy(self, key: SlotKey, slot: Slot) -> None:
        """An attempt was granted."""
        self.held[key] = slot
        self.last_variant = slot.variant

    def free(self, key: SlotKey) -> None:
        """The call of an attempt has ended."""
        self.held.pop(key, None)
        self.suspect.pop(key, None)

    def suspect_slot(self, key: SlotKey) -> None:
        """The lease ended, the call may not have."""
        slot = self.held.pop(key, None)
        if slot is not None:
            self.suspect[key] = slot

    @property
    def occupied(self) -> int:
        """Slots that are not free."""
        return len(self.held) + len(self.suspect)

    def free_slots(self, variant: str) -> int:
        """Further calls of a variant that the device takes now; 0 if it is not loaded."""
        mine = sum(
            1
            for slots in (self.held, self.suspect)
            for slot in slots.values()
            if slot.variant == variant
        )
        return max(0, min(self.offer.slots - self.occupied, self.slots_of.get(variant, 0) - mine))

    def _read_residency(self) -> None:
        self.slots_of = {loaded.variant: loaded.slots for loaded in self.offer.residency}
