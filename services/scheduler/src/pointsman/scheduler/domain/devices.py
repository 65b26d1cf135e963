"""A device of the pool and its slots.

Lease and slot are two clocks: a lease says who may report an attempt, a slot says what the engine
may still be working on. A slot whose lease ended without a report stays `suspect` until the
report comes, the engine was seen idle, or the run deadline that the engine was given is over.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from pointsman.contracts.events import (
    DeviceAttached,
    DeviceDetached,
    DeviceMode,
    DeviceResumed,
    DeviceSuspended,
    Residency,
    ResidencyChanged,
    ResidencyFailed,
    ResidencyGranted,
)
from pointsman.policy.swap_credit import SwapCredit

IDLE_UNLOAD_S: Final = 600.0
"""A device that had nothing to do for so long gives its memory back."""

SlotKey = tuple[UUID, int]
"""Task and attempt."""


class DeviceStatus(StrEnum):
    """Whether anything may be granted to a device."""

    READY = "ready"
    SUSPENDED = "suspended"
    DETACHED = "detached"


class Slot(Struct, frozen=True):
    """What occupies a slot, and when the engine has given up on it at the latest."""

    variant: str
    free_at: float
    batch: str = ""
    """The call that it shares with others: they take one slot together."""
    since: float = 0.0
    """When it was granted."""
    tenant: str = ""
    """Whose task it is."""


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
    residency: tuple[Residency, ...] = ()
    generation: int = 0
    """Of the last change of its residency that was granted."""
    changing: ResidencyGranted | None = None
    """That change, while it has not ended."""
    given_up: int = 0
    """The generation of a change that nobody has reported yet although it counts as ended."""
    fresh: bool = False
    """Nothing has run since its last load."""
    not_before: dict[str, float] = field(default_factory=dict[str, float])
    """When a variant whose load failed may be tried again."""
    used_of: dict[str, float] = field(default_factory=dict[str, float])
    """When each resident was loaded or last used."""
    used_at: float = 0.0
    """When it last had something to do."""
    credit: SwapCredit = field(default_factory=SwapCredit)
    gang: tuple[str, ...] = ()
    """Further devices that the instance takes which it has."""
    gang_of: str = ""
    """The variant of that instance."""
    member_of: str = ""
    """The device whose instance takes this one as well."""
    draining: bool = False
    """An operator takes it out of service: what runs ends, nothing follows."""
    paused: frozenset[str] = frozenset()
    """Variants that an operator has paused: it has them, and does not serve them."""
    slots_of: dict[str, int] = field(default_factory=dict[str, int], init=False)
    max_batch_of: dict[str, int] = field(default_factory=dict[str, int], init=False)
    occupied: int = field(default=0, init=False)
    """Slots that are not free."""
    _occupied_by: Counter[str] = field(default_factory=Counter[str], init=False)
    _members: Counter[str] = field(default_factory=Counter[str], init=False)

    def __post_init__(self) -> None:
        self._reside(self.residency)
        for slot in (*self.held.values(), *self.suspect.values()):
            self._enter(slot)

    # -- as the choice of a class sees it -------------------------------------------------------

    @property
    def name(self) -> str:
        """Unique in the pool."""
        return self.offer.device

    @property
    def engine(self) -> tuple[str, str]:
        """Executor and address; a fragment of the endpoint tells devices of one engine apart."""
        return self.offer.executor, self.offer.endpoint.partition("#")[0]

    @property
    def residents(self) -> tuple[str, ...]:
        """Variants that it serves, or will after its load; none while it does not serve."""
        if self.status is not DeviceStatus.READY or self.member_of:
            return ()
        names = tuple(name for name in self.slots_of if name not in self.paused)
        if self.changing is None:
            return names
        left = tuple(name for name in names if name not in self.changing.unload)
        load = self.changing.load
        return left if not load or load in (*left, *self.paused) else (load, *left)

    @property
    def members(self) -> tuple[str, ...]:
        """Further devices that are taken by what it has, or is loading."""
        return self.gang if self.changing is None else (*self.gang, *self.changing.members)

    @property
    def healthy(self) -> bool:
        """Whether waiting for it makes sense."""
        return self.status is DeviceStatus.READY and not self.draining and not self.member_of

    @property
    def begun_at(self) -> float | None:
        """When the oldest of its calls began, or will; None with a free slot."""
        if self.changing is not None:
            return self.changing.at + self.changing.expected_s
        if self.occupied < self.offer.slots:
            return None
        slots = (*self.held.values(), *self.suspect.values())
        return min((slot.since for slot in slots), default=None)

    @property
    def loading(self) -> bool:
        """Whether a load has not ended, however long ago that was expected."""
        return self.changing is not None and bool(self.changing.load)

    @property
    def idle(self) -> bool:
        """Whether nothing is in flight, as far as is known."""
        return not self.occupied and self.changing is None

    def next_due(self, now: float) -> Iterator[float]:
        """When time alone may change what is decided about it."""
        yield from (slot.free_at for slot in self.suspect.values())
        yield from (at for at in self.not_before.values() if at > now)
        unload_at = self.used_at + IDLE_UNLOAD_S
        if self.offer.mode is not DeviceMode.FIXED and self.residency and unload_at > now:
            yield unload_at

    # -- what happens to it ---------------------------------------------------------------------

    def attach(self, offer: DeviceAttached) -> None:
        """An executor offers the device again; what an earlier one was changing is over."""
        if offer.incarnation != self.offer.incarnation:
            self.changing = None
        self.offer = offer
        self.status, self.reason, self.suspended_for = DeviceStatus.READY, "", ""
        self._reside(offer.residency)
        if offer.quiescent:
            self.idle_engine()

    def take(self, event: DeviceDetached | DeviceSuspended | DeviceResumed) -> None:
        """Its status changed; that nobody speaks for it cures nothing, and nothing ends that."""
        match event:
            case DeviceDetached():
                self.status, self.reason = DeviceStatus.DETACHED, event.reason
            case DeviceSuspended():
                self.suspended_for = event.reason
                if self.status is not DeviceStatus.DETACHED:
                    self.status, self.reason = DeviceStatus.SUSPENDED, event.reason
            case DeviceResumed():
                self.suspended_for = ""
                if self.status is not DeviceStatus.DETACHED:
                    self.status, self.reason = DeviceStatus.READY, ""
                if event.residency is not None:
                    # The engine was looked at: what a late report says may be from before.
                    self.given_up = 0
                    self._reside(event.residency)
                if event.quiescent:
                    self.idle_engine()

    def change(self, event: ResidencyGranted) -> None:
        """Its residency is about to change."""
        self.generation, self.changing = event.generation, event
        self.used_at = event.at

    def changed(self, event: ResidencyChanged | ResidencyFailed) -> None:
        """The change has ended; one of an earlier generation changes nothing."""
        if event.generation != self.generation:
            return
        change, self.changing = self.changing, None
        self.used_at = event.at
        self.given_up = event.generation if event.residency is None else 0
        if event.residency is not None:
            self._reside(event.residency)
        if change is None:
            return
        if isinstance(event, ResidencyFailed):
            if change.load:
                self.not_before[change.load] = event.retry_at
        elif event.loaded:
            if change.members:
                self.gang, self.gang_of = change.members, event.loaded
            self.not_before.pop(event.loaded, None)
            self.used_of[event.loaded] = event.at
            self.fresh = True

    def idle_engine(self) -> None:
        """The engine was seen with nothing in flight; a live lease may be about to call it."""
        for slot in self.suspect.values():
            self._leave(slot)
        self.suspect.clear()

    def occupy(self, key: SlotKey, slot: Slot) -> None:
        """An attempt was granted."""
        self.held[key] = slot
        self.last_variant = slot.variant
        self.fresh = False
        self.used_at = self.used_of[slot.variant] = slot.since
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
        if self.changing is not None and (
            variant in self.changing.unload or self.offer.mode is DeviceMode.DEDICATED
        ):
            return 0
        loaded = self.slots_of.get(variant, 0) - self._occupied_by[variant]
        return max(0, min(self.offer.slots - self.occupied, loaded))

    def can_load(self, variant: str) -> bool:
        """Whether the leader may have its engine load a variant, be there room or not."""
        return self.offer.mode is not DeviceMode.FIXED and any(
            offered.variant == variant for offered in self.offer.loadable
        )

    def in_flight(self, variant: str) -> int:
        """Calls of a variant that may be in flight."""
        return self._occupied_by[variant]

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

    def _reside(self, residency: Sequence[Residency]) -> None:
        self.residency = tuple(residency)
        if self.gang_of and all(loaded.variant != self.gang_of for loaded in residency):
            self.gang, self.gang_of = (), ""
        self.slots_of = {loaded.variant: loaded.slots for loaded in residency}
        self.max_batch_of = {loaded.variant: loaded.max_batch for loaded in residency}
