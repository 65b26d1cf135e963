"""How much memory devices held that load models on demand, from a log alone.

It is what the registry says of the models that a device had. Beside it stands what one instance of
each model would hold that any of these devices could load, for as long as one of them was attached.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode, Residency
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.log_rows import row_pages
from pointsman.eventstore.reading import read_event
from pointsman.time_machine.pool_log import recorded
from pointsman.time_machine.replay.differences import TOPIC_OF

_OF_MEMORY = (
    events.ModelRegistered,
    events.DeviceAttached,
    events.DeviceDetached,
    events.DeviceResumed,
    events.ResidencyGranted,
    events.ResidencyChanged,
    events.ResidencyFailed,
)


class DeviceHeld(TypedDict):
    """One device while it was attached."""

    device: str
    mode: str
    attached_s: float
    mean_mib: float


class MemoryHeld(TypedDict):
    """Means over the time in which a device that loads on demand was attached."""

    seconds: float
    held_mib: float
    """Of all these devices together."""
    models: int
    """Those that they could load at the end."""
    all_resident_mib: float
    share: float | None
    """Held over all resident; None: no such device was attached."""
    devices: list[DeviceHeld]


def memory_held(log: Path, pool: str, *, begin: float, end: float) -> MemoryHeld:
    """Between two times; raises what `row_pages` raises, and what unreadable events do."""
    codec = EventCodec()
    topics = sorted(codec.versions(TOPIC_OF[type_] for type_ in _OF_MEMORY))
    history = (
        read_event(codec, recorded(row)) for page in row_pages(log, topics=topics) for row in page
    )
    return held_by(history, pool, begin=begin, end=end)


def held_by(history: Iterable[Decision], pool: str, *, begin: float, end: float) -> MemoryHeld:
    """The same of events in the order of a log."""
    holding = _Holding(pool, begin, end)
    for event in history:
        if event.at >= end:
            break
        holding.take(event)
    return holding.report()


@dataclass(slots=True)
class _Device:
    mode: DeviceMode
    loadable: frozenset[str]
    residency: frozenset[str]
    attached: bool = True
    change: events.ResidencyGranted | None = None
    attached_s: float = 0.0
    mib_s: float = 0.0

    def held(self, sizes: dict[str, float]) -> float:
        """Until a change has ended, the greater of what it had and what it is to have."""
        now = _total(sizes, self.residency)
        if self.change is None:
            return now
        then = self.residency - {*self.change.unload} | {self.change.load}
        return max(now, _total(sizes, then))


@dataclass(slots=True)
class _Holding:
    pool: str
    begin: float
    end: float
    now: float = 0.0
    seconds: float = 0.0
    all_mib_s: float = 0.0
    sizes: dict[str, float] = field(default_factory=dict[str, float])
    devices: dict[str, _Device] = field(default_factory=dict[str, _Device])

    def take(self, event: Decision) -> None:
        self._advance(event.at)
        match event:
            case events.ModelRegistered():
                self.sizes[event.variant] = event.memory_mib
            case events.DeviceAttached() if event.pool == self.pool:
                self._attach(event)
            case events.DeviceDetached() | events.DeviceResumed():
                self._serve(event)
            case (
                events.ResidencyGranted() | events.ResidencyChanged() | events.ResidencyFailed()
            ) if event.device in self.devices:
                self._change(self.devices[event.device], event)
            case _:
                pass

    def report(self) -> MemoryHeld:
        self._advance(self.end)
        held_mib_s = sum(device.mib_s for device in self.devices.values())
        return {
            "seconds": round(self.seconds, 3),
            "held_mib": _mean(held_mib_s, self.seconds),
            "models": len(self._loadable([*self.devices.values()])),
            "all_resident_mib": _mean(self.all_mib_s, self.seconds),
            "share": round(held_mib_s / self.all_mib_s, 4) if self.all_mib_s else None,
            "devices": [
                {
                    "device": name,
                    "mode": device.mode.value,
                    "attached_s": round(device.attached_s, 3),
                    "mean_mib": _mean(device.mib_s, device.attached_s),
                }
                for name, device in sorted(self.devices.items())
            ],
        }

    def _advance(self, at: float) -> None:
        # Clocks may be set back; what lies before the beginning only says how things stood then.
        passed_s = min(at, self.end) - max(self.now, self.begin)
        self.now = max(self.now, at)
        attached = [device for device in self.devices.values() if device.attached]
        if passed_s <= 0 or not attached:
            return
        self.seconds += passed_s
        self.all_mib_s += passed_s * _total(self.sizes, self._loadable(attached))
        for device in attached:
            device.attached_s += passed_s
            device.mib_s += passed_s * device.held(self.sizes)

    def _attach(self, event: events.DeviceAttached) -> None:
        known = self.devices.pop(event.device, None)
        if event.mode is DeviceMode.FIXED:
            return
        loadable = frozenset(each.variant for each in event.loadable)
        device = _Device(event.mode, loadable, _names(event.residency))
        if known is not None:
            device.attached_s, device.mib_s = known.attached_s, known.mib_s
        self.devices[event.device] = device

    def _serve(self, event: events.DeviceDetached | events.DeviceResumed) -> None:
        device = self.devices.get(event.device)
        if device is None:
            return
        device.attached = not isinstance(event, events.DeviceDetached)
        if isinstance(event, events.DeviceResumed) and event.residency is not None:
            device.residency, device.change = _names(event.residency), None

    def _change(
        self,
        device: _Device,
        event: events.ResidencyGranted | events.ResidencyChanged | events.ResidencyFailed,
    ) -> None:
        if isinstance(event, events.ResidencyGranted):
            device.change = event
            return
        device.change = None
        if event.residency is not None:
            device.residency = _names(event.residency)

    def _loadable(self, devices: Iterable[_Device]) -> frozenset[str]:
        every = (device.loadable | device.residency for device in devices)
        return frozenset[str]().union(*every) & self.sizes.keys()


def _names(residency: Iterable[Residency]) -> frozenset[str]:
    return frozenset(each.variant for each in residency)


def _total(sizes: dict[str, float], variants: Iterable[str]) -> float:
    return sum(sizes.get(variant, 0.0) for variant in variants)


def _mean(total: float, seconds: float) -> float:
    return round(total / seconds, 3) if seconds else 0.0
