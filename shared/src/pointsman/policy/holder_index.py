"""What a class has to expect of its holders, found without looking at each of them.

Gives what `holder_wait` gives. With a thousand devices a class has hundreds of holders, and a plain
look at all of them for each decision took 3 ms.
"""

from bisect import bisect_right, insort
from math import inf

from pointsman.policy.class_queue import ClassQueue, TaskT
from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.holder_wait import HolderWait


class _Holders:
    """Healthy holders of one variant."""

    __slots__ = ("begun", "free")

    def __init__(self) -> None:
        self.begun: list[float] = []
        """When those without a free slot began, or will; sorted."""
        self.free = 0


class HolderIndex:
    """Healthy holders by variant; devices are looked at again when they were noted."""

    __slots__ = ("_changed", "_of", "_places")

    def __init__(self) -> None:
        self._of: dict[str, _Holders] = {}
        self._places: dict[str, tuple[str, float | None]] = {}
        self._changed: dict[str, DedicatedDevice] = {}

    def note(self, device: DedicatedDevice) -> None:
        """Something about a device has changed."""
        self._changed[device.name] = device

    def wait(self, queue: ClassQueue[TaskT], now: float) -> HolderWait:
        """Expected wait of what is in the queue; its class has one variant."""
        for device in self._changed.values():
            self._place(device)
        self._changed.clear()
        holders = self._of.get(queue.variants[0])
        if holders is None:
            return HolderWait(None, provided=False)
        times, begun = queue.times, holders.begun
        p50_s, p99_s = times.runs.p50_s, times.runs.p99_s
        # Oldest first: those past the p99, those past the median, the rest, and those that load.
        hopeless = bisect_right(begun, now - max(p50_s, p99_s))
        healthy = len(begun) - hopeless + holders.free
        if not healthy:
            return HolderWait(None, provided=False)
        loading = bisect_right(begun, now)
        ready = len(begun) - loading + holders.free
        if ready >= len(queue):
            return HolderWait(begun[-1] - now if loading < len(begun) else 0.0, provided=True)
        least_s = 0.0 if holders.free else inf
        if least_s:
            past_median = bisect_right(begun, now - p50_s)
            if hopeless < past_median:
                least_s = p99_s - (now - begun[hopeless])
            if past_median < loading:
                least_s = min(least_s, p50_s - (now - begun[past_median]))
            if loading < len(begun):
                least_s = min(least_s, begun[loading] - now)
        return HolderWait(least_s + (len(queue) - 1) / healthy * times.mean_s, provided=False)

    def _place(self, device: DedicatedDevice) -> None:
        before = self._places.pop(device.name, None)
        if before is not None:
            holders = self._of[before[0]]
            if before[1] is None:
                holders.free -= 1
            else:
                holders.begun.remove(before[1])
        variant = device.resident
        if variant is None or not device.healthy:
            return
        holders = self._of.get(variant)
        if holders is None:
            holders = self._of[variant] = _Holders()
        begun_at = device.begun_at
        self._places[device.name] = (variant, begun_at)
        if begun_at is None:
            holders.free += 1
        else:
            insort(holders.begun, begun_at)
