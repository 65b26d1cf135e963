"""What a snapshot keeps of a device."""

from collections.abc import Iterable
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.message import Message
from pointsman.scheduler.domain.devices import Device, DeviceStatus, Slot, SlotKey

HeldSlot = tuple[UUID, int, Slot]
"""Task, attempt and what they occupy."""


class DeviceFacts(Message, frozen=True):
    """A `Device` at one moment."""

    offer: events.DeviceAttached
    status: DeviceStatus
    reason: str
    suspended_for: str
    last_variant: str | None
    held: tuple[HeldSlot, ...]
    suspect: tuple[HeldSlot, ...]
    residency: tuple[events.Residency, ...]
    generation: int
    changing: events.ResidencyGranted | None
    given_up: int
    fresh: bool
    not_before: dict[str, float]
    used_of: dict[str, float]
    used_at: float
    credit_spent_s: float
    gang: tuple[str, ...]
    gang_of: str
    member_of: str
    draining: bool


def device_facts(device: Device) -> DeviceFacts:
    """What a device is now."""
    return DeviceFacts(
        offer=device.offer,
        status=device.status,
        reason=device.reason,
        suspended_for=device.suspended_for,
        last_variant=device.last_variant,
        held=_held(device.held),
        suspect=_held(device.suspect),
        residency=device.residency,
        generation=device.generation,
        changing=device.changing,
        given_up=device.given_up,
        fresh=device.fresh,
        not_before=device.not_before,
        used_of=device.used_of,
        used_at=device.used_at,
        credit_spent_s=device.credit.spent_s,
        gang=device.gang,
        gang_of=device.gang_of,
        member_of=device.member_of,
        draining=device.draining,
    )


def restore_device(facts: DeviceFacts) -> Device:
    """The device that `facts` were taken of."""
    device = Device(
        offer=facts.offer,
        status=facts.status,
        reason=facts.reason,
        suspended_for=facts.suspended_for,
        last_variant=facts.last_variant,
        held=_slots(facts.held),
        suspect=_slots(facts.suspect),
        residency=facts.residency,
        generation=facts.generation,
        changing=facts.changing,
        given_up=facts.given_up,
        fresh=facts.fresh,
        not_before=facts.not_before,
        used_of=facts.used_of,
        used_at=facts.used_at,
        gang=facts.gang,
        gang_of=facts.gang_of,
        member_of=facts.member_of,
        draining=facts.draining,
    )
    device.credit.restore(facts.credit_spent_s)
    return device


def _held(slots: dict[SlotKey, Slot]) -> tuple[HeldSlot, ...]:
    return tuple((task, attempt, slot) for (task, attempt), slot in slots.items())


def _slots(held: Iterable[HeldSlot]) -> dict[SlotKey, Slot]:
    return {(task, attempt): slot for task, attempt, slot in held}
