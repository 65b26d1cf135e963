"""Changes of residency that operators have asked for; they come before the queue's own.

A dedicated device that still runs something, and a shared one on which what has to go does, take
nothing new until that has ended.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import DeviceMode, ResidencyAsked
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.asks import Ask
from pointsman.scheduler.domain.residency.change_events import ChangeEvents
from pointsman.scheduler.domain.residency.fitting import Fitting
from pointsman.scheduler.domain.rounds.gates import Gates


@dataclass(slots=True)
class AskedChange:
    """At most one change, and the devices that make room for others."""

    granted: Decided | None = None
    reserved: dict[str, str] = field(default_factory=dict[str, str])
    """By device: why."""


def decide_asked(
    pool: Pool, gates: Gates, fitting: Fitting, events: ChangeEvents, *, skip: Collection[UUID]
) -> AskedChange:
    """The oldest ask that can be granted now; streams in `skip` have a decision already."""
    return _Asked(pool, gates, fitting, events, skip).change()


class _Asked:
    def __init__(
        self,
        pool: Pool,
        gates: Gates,
        fitting: Fitting,
        events: ChangeEvents,
        skip: Collection[UUID],
    ) -> None:
        self._pool = pool
        self._gates = gates
        self._fitting = fitting
        self._events = events
        self._skip = skip
        self._change = AskedChange()

    def change(self) -> AskedChange:
        for ask in self._pool.steering.asks.waiting():
            self._change.granted = self._load(ask) if ask.event.load else self._unload(ask)
            if self._change.granted is not None:
                break
        return self._change

    def _load(self, ask: Ask) -> Decided | None:
        variant = ask.event.variant
        if self._gates.model_paused(variant) is not None:
            return None
        scores = {
            device.name: self._fitting.score(device, variant) for device in self._able(ask.event)
        }
        devices = self._pool.devices
        room = {
            name: self._fitting.room_for(devices[name], variant, displacing=True) for name in scores
        }
        # Where there is room already, nothing is given up.
        best_first = sorted(scores, key=lambda name: (room[name] != (), -scores[name].score, name))
        for name in best_first:
            device, unload = devices[name], room[name]
            dedicated = device.offer.mode is DeviceMode.DEDICATED
            if unload is not None and not (dedicated and device.occupied):
                return self._events.asked(device, ask, unload=unload, scores=scores.values())
        if best_first:
            self._reserve(best_first[0], f"makes room for {variant}", ask)
        return None

    def _unload(self, ask: Ask) -> Decided | None:
        device, variant = self._pool.devices.get(ask.event.device), ask.event.variant
        if device is None or not self._free_to_change(device):
            return None
        if device.in_flight(variant):
            self._reserve(device.name, f"gives {variant} up", ask)
            return None
        return self._events.asked(device, ask, unload=(variant,), scores=())

    def _able(self, asked: ResidencyAsked) -> Iterator[Device]:
        """Devices that could take the load, now or when they have nothing in flight."""
        for device in self._pool.devices.values():
            named = asked.device in {"", device.name}
            free = named and device.can_load(asked.variant) and self._free_to_change(device)
            if free and self._gates.device_refused(device) is None:
                yield device

    def _free_to_change(self, device: Device) -> bool:
        return (
            device.offer.mode is not DeviceMode.FIXED
            and device.status is DeviceStatus.READY
            and device.changing is None
            and stream_id("device", device.name) not in self._skip
        )

    def _reserve(self, name: str, what: str, ask: Ask) -> None:
        self._change.reserved.setdefault(name, f"{name} {what}, as {ask.event.by} has asked")
