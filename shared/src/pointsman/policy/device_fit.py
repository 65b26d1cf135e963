"""Where a model of a simulated pool can be loaded, and which of several idle devices suits it best.

As in the scheduler: what is too large for a device is never loaded there, and of idle devices that
would do the most suitable one takes the load. Nobody measures temperatures here, and what an idle
device ran last is still loaded on it, so that memory alone makes a difference.
"""

from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple

from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.free_devices import FreeDevices
from pointsman.policy.placement import Weights, weigh
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.waiting_classes import WaitingClasses

_NONE: Final[frozenset[Hashable]] = frozenset()
_WEIGHTS: Final = Weights()


class Instance(NamedTuple):
    """What one loaded copy of a model takes."""

    devices: int = 1
    part_mib: float = 0.0
    """Memory of each device; 0: not known, so that it fits everywhere."""
    slots: int = 0
    """Tasks that it serves at a time, at most those of a device; 0: as many as that has slots."""


ONE: Final = Instance()
"""One device, whatever its memory."""


class DeviceFit:
    """Sizes of models and memory of devices."""

    def __init__(self, free: FreeDevices, classes: WaitingClasses[QueuedTask]) -> None:
        self._free = free
        self._classes = classes
        self._takes: dict[Hashable, Instance] = {}
        self._sizes: set[float] = set()
        self._too_large: dict[float, frozenset[Hashable]] = {}

    def attach(self, memory_mib: float) -> None:
        """There is a device with so much memory."""
        self._sizes.add(memory_mib)

    def of_each_size(self) -> Iterator[DedicatedDevice]:
        """The first free device of each size: what is decided for it holds for the rest of them."""
        seen: set[float] = set()
        for device in self._free:
            if device.memory_mib not in seen:
                seen.add(device.memory_mib)
                yield device
                if len(seen) == len(self._sizes):
                    return

    def register(self, class_id: Hashable, takes: Instance) -> None:
        """What the model of a class takes."""
        self._takes[class_id] = takes
        self._too_large.clear()

    def devices(self, class_id: Hashable) -> int:
        """How many devices one instance takes."""
        return self._takes[class_id].devices

    def slots(self, device: DedicatedDevice, class_id: Hashable) -> int:
        """Tasks that a device runs at a time with the model of a class."""
        return min(device.most_slots, self._takes[class_id].slots or device.most_slots)

    def usable(self, device: DedicatedDevice, class_id: Hashable) -> list[DedicatedDevice]:
        """A device and those that follow it, as far as a part of the model fits on them."""
        group = (device, *device.followers)
        return [each for each in group if class_id not in self._too_large_for(each.memory_mib)]

    def too_large_for(self, device: DedicatedDevice) -> frozenset[Hashable]:
        """Classes whose model fits neither on a device nor on those that follow it."""
        found = self._too_large_for(device.memory_mib)
        for follower in device.followers:
            found &= self._too_large_for(follower.memory_mib)
        return found

    def has_work(self, device: DedicatedDevice) -> bool:
        """Whether somebody waits for what a device has."""
        residents = device.residents
        return bool(residents) and self._classes.has_work(residents[0])

    def most_suitable(self, device: DedicatedDevice, class_id: Hashable) -> DedicatedDevice:
        """This device, or another one that has nothing to do either and suits the model better."""
        if not device.memory_mib or not self._takes[class_id].part_mib:
            return device
        able = self.usable(device, class_id)
        if not self.has_work(device):
            for other in self._free.idle.values():
                if other is not device and not self.has_work(other):
                    able += self.usable(other, class_id)
        return max(able, key=lambda each: self._score(each, class_id))

    def _score(self, device: DedicatedDevice, class_id: Hashable) -> float:
        total = device.memory_mib
        score, _ = weigh(
            _WEIGHTS,
            memory=min(1.0, self._takes[class_id].part_mib / total) if total else 1.0,
            utilisation=1.0 - len(device.runs) / device.slots,
            temperature_c=None,
            affinity=0.0,
        )
        return score

    def _too_large_for(self, memory_mib: float) -> frozenset[Hashable]:
        if not memory_mib:
            return _NONE
        found = self._too_large.get(memory_mib)
        if found is None:
            found = self._too_large[memory_mib] = frozenset(
                class_id for class_id, takes in self._takes.items() if takes.part_mib > memory_mib
            )
        return found
