"""Devices that are kept for a class until all of them are idle.

A device with several slots swaps only when nothing runs on it, and a model over several devices
takes all of them or none. What a reservation takes, it takes at once: it never waits for a device
while it keeps another from a second reservation, so that no two wait for each other. Nothing begins
on what it has, so that it lasts no longer than the longest run or load that goes on there.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from pointsman.policy.class_choice import ClassChoice
from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.device_fit import DeviceFit
from pointsman.policy.free_devices import FreeDevices
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.waiting_classes import WaitingClasses


class Reservation(NamedTuple):
    """Devices for one model of a class; those that follow another one come with it."""

    choice: ClassChoice
    parts: int
    devices: tuple[DedicatedDevice, ...]


class Reservations:
    """One at a time for each class; a device belongs to one of them at the most."""

    def __init__(
        self,
        devices: Mapping[str, DedicatedDevice],
        classes: WaitingClasses[QueuedTask],
        free: FreeDevices,
        fit: DeviceFit,
    ) -> None:
        self._devices = devices
        self._classes = classes
        self._free = free
        self._fit = fit
        self.by_class: Final[dict[Hashable, Reservation]] = {}
        """Those that are not over; nobody else changes it."""

    def reserve(
        self, device: DedicatedDevice, choice: ClassChoice, parts: int
    ) -> Reservation | None:
        """Keep this device and as many others as the class takes; None where there are too few."""
        taken, size = [device], len(self._fit.usable(device, choice.class_id))
        if size < parts:
            for other in self._by_how_soon(device):
                if usable := self._fit.usable(other, choice.class_id):
                    taken.append(other)
                    size += len(usable)
                if size >= parts:
                    break
            else:
                return None
        reservation = self.by_class[choice.class_id] = Reservation(choice, parts, tuple(taken))
        self._mark(taken, choice.class_id)
        return reservation

    def group(self, reservation: Reservation) -> tuple[DedicatedDevice, ...]:
        """The devices that the model takes, of all that were kept."""
        class_id = reservation.choice.class_id
        kept = [each for d in reservation.devices for each in self._fit.usable(d, class_id)]
        return tuple(kept[: reservation.parts])

    def settled(self) -> Iterator[Reservation]:
        """Those whose devices are idle; they are over, as are those whose class has no work."""
        for class_id, reservation in list(self.by_class.items()):
            if not self._classes[class_id]:
                self.release(class_id)
            elif all(device.idle for device in reservation.devices):
                self.release(class_id)
                yield reservation

    def release(self, class_id: Hashable) -> None:
        """Its devices may begin something else."""
        reservation = self.by_class.pop(class_id, None)
        if reservation is not None:
            self._mark(reservation.devices, None)

    def release_of(self, device: DedicatedDevice) -> None:
        """As `release`, for the one that has this device, or the device that it follows."""
        for class_id, reservation in list(self.by_class.items()):
            if any(device is each or device in each.followers for each in reservation.devices):
                self.release(class_id)

    def barred_for(self, device: DedicatedDevice) -> frozenset[Hashable]:
        """Classes that do not fit on this device, or need not: others are kept for them already."""
        return self._fit.too_large_for(device) | {
            class_id
            for class_id, reservation in self.by_class.items()
            if device.resident != class_id and (reservation.parts > 1 or not device.idle)
        }

    def _by_how_soon(self, device: DedicatedDevice) -> list[DedicatedDevice]:
        """Other devices that may be kept, in a fixed order: idle ones first."""
        others = [
            each
            for each in self._devices.values()
            if each is not device
            and each.serves
            and each.waits_as is None
            and not self._is_expected(each)
        ]
        return sorted(others, key=lambda each: (not each.idle, each.used_at, each.name))

    def _is_expected(self, device: DedicatedDevice) -> bool:
        """Whether somebody waits for what was loaded there.

        Else two classes could take the same devices from each other for ever, and neither runs.
        """
        if device.resident is None or (device.loads_until is None and not device.fresh):
            return False
        return len(self._classes[device.resident]) > 0

    def _mark(self, devices: Iterable[DedicatedDevice], class_id: Hashable | None) -> None:
        for device in devices:
            device.waits_as = class_id
            self._free.note(device)
