"""Which devices may begin something: found without looking at those that may not."""

from collections.abc import Iterator
from typing import Final

from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.holder_index import HolderIndex


class FreeDevices:
    """Free devices, and among them those whose model may have work."""

    __slots__ = ("_having", "_partly", "_places", "_ready", "holders", "idle")

    def __init__(self) -> None:
        # Dictionaries keep the order in which devices became free.
        self.idle: Final[dict[str, DedicatedDevice]] = {}
        """Those with nothing in flight; nobody else changes it."""
        self._partly: dict[str, DedicatedDevice] = {}
        self._having: dict[str, dict[str, DedicatedDevice]] = {}
        self._places: dict[str, tuple[dict[str, DedicatedDevice], str | None]] = {}
        self._ready: dict[str, None] = {}
        self.holders = HolderIndex()
        """All devices as holders of what they have."""

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[DedicatedDevice]:
        """Those with nothing in flight first, and of these the one that was used longest ago."""
        yield from self.idle.values()
        yield from self._partly.values()

    def note(self, device: DedicatedDevice) -> None:
        """Something about a device has changed."""
        self.holders.note(device)
        name = device.name
        before = self._places.get(name)
        if not device.free:
            if before is not None:
                self._leave(name, *before)
            return
        among, resident = self._partly if device.runs else self.idle, device.resident
        if before is not None:
            if before[0] is among and before[1] == resident:
                return
            self._leave(name, *before)
        among[name] = device
        self._places[name] = (among, resident)
        if resident is not None:
            self._having.setdefault(resident, {})[name] = device
            self._ready[resident] = None

    def wanted(self, variant: str) -> None:
        """A task arrived that the variant may serve."""
        if variant in self._having:
            self._ready[variant] = None

    def all_wanted(self) -> None:
        """Tasks may begin that might not when their devices were looked at."""
        self._ready = dict.fromkeys(self._having)

    def with_work_perhaps(self) -> DedicatedDevice | None:
        """A device whose model may have work that it does not know of yet."""
        for variant in self._ready:
            return next(iter(self._having[variant].values()))
        return None

    def without_work(self, variant: str) -> None:
        """Devices with this variant have been looked at, until something changes."""
        self._ready.pop(variant, None)

    def _leave(self, name: str, among: dict[str, DedicatedDevice], resident: str | None) -> None:
        del among[name], self._places[name]
        if resident is None:
            return
        having = self._having[resident]
        del having[name]
        if not having:
            del self._having[resident]
            self._ready.pop(resident, None)
