"""The devices of a pool, and which of them one instance takes together."""

from collections.abc import Iterator
from uuid import UUID

from pointsman.contracts.events import (
    DeviceAttached,
    DeviceDetached,
    DeviceResumed,
    DeviceSuspended,
    ResidencyChanged,
    ResidencyFailed,
    ResidencyGranted,
    SlotReleased,
)
from pointsman.policy.swap_credit import CAP_LOADS, SHARE, SwapCredit
from pointsman.scheduler.domain.devices import Device, SlotKey

OfDevice = (
    DeviceAttached
    | DeviceDetached
    | DeviceSuspended
    | DeviceResumed
    | SlotReleased
    | ResidencyGranted
    | ResidencyChanged
    | ResidencyFailed
)
"""Events of a device's stream that say what may be granted to it."""


class Devices(dict[str, Device]):
    """Devices of a pool by name."""

    paused: frozenset[str] = frozenset()
    """Variants that none of them serves now."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        """Counts what may have changed which models a device could have."""
        self._terms = (SHARE, CAP_LOADS)

    def tune(self, share: float, cap_loads: float) -> None:
        """Have every device, also those that come later, earn credit by other figures."""
        self._terms = share, cap_loads
        for device in self.values():
            device.credit.tune(share, cap_loads)

    def take(self, event: OfDevice) -> Iterator[Device]:
        """A committed event of one device, which was attached before it; gives what it changed."""
        self.changes += isinstance(event, DeviceAttached | DeviceDetached | DeviceResumed)
        if isinstance(event, DeviceAttached):
            if event.device in self:
                self[event.device].attach(event)
            else:
                self[event.device] = Device(
                    offer=event,
                    residency=event.residency,
                    paused=self.paused,
                    credit=SwapCredit(*self._terms),
                )
        elif isinstance(event, SlotReleased):
            self.free(event.device, (UUID(event.task), event.attempt))
        elif (device := self.get(event.device)) is None:
            return iter(())
        elif isinstance(event, ResidencyGranted):
            device.change(event)
        elif isinstance(event, ResidencyChanged | ResidencyFailed):
            device.changed(event)
        else:
            device.take(event)
        return self._gather(event.device)

    def free(self, name: str, key: SlotKey) -> None:
        """The call of an attempt has ended, if the device is known."""
        device = self.get(name)
        if device is not None:
            device.free(key)

    def suspect(self, name: str, key: SlotKey) -> None:
        """The call of an attempt may go on without its lease, if the device is known."""
        device = self.get(name)
        if device is not None:
            device.suspect_slot(key)

    def taken_with(self, device: Device) -> str:
        """What takes a device that serves nothing by itself, in words; empty: it is its own."""
        lead = self.get(device.member_of)
        if lead is None:
            return ""
        loading = lead.changing.load if lead.changing is not None else ""
        return f"the instance of {loading or lead.gang_of} on {lead.name} takes it as well"

    def _gather(self, lead: str) -> Iterator[Device]:
        """Mark the devices that the instance of `lead` takes as well, and free those it took."""
        changed = [self[lead]] if lead in self else []
        members = changed[0].members if changed else ()
        for name, device in self.items():
            if name in members and device.member_of != lead:
                device.member_of = lead
                changed.append(device)
            elif device.member_of == lead and name not in members:
                device.member_of = ""
                changed.append(device)
        return iter(changed)
