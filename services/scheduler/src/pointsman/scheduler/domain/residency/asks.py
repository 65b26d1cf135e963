"""Loads and unloads that operators have asked for, until they are done or have failed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pointsman.contracts import events
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.fleet import OfDevice

OPERATOR = "operator"
"""Cause of a change of residency that was granted for an ask."""


@dataclass(slots=True)
class Ask:
    """One variant that is to be loaded on a device, or unloaded from it."""

    event: events.ResidencyAsked
    position: int
    granted: tuple[str, int] | None = None
    """Device and generation of the change that was granted for it and runs."""

    @property
    def words(self) -> str:
        """For people: `load on gpu-0`."""
        verb = "load" if self.event.load else "unload"
        where = f"on {self.event.device}" if self.event.device else "on any device"
        return f"{verb} {where}" + (", running" if self.granted else "")


class Asks:
    """Open asks in the order of the log; at most one per device and variant."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        self._devices = devices
        self._open: dict[tuple[str, str], Ask] = {}

    def __iter__(self) -> Iterator[Ask]:
        return iter(self._open.values())

    def __len__(self) -> int:
        return len(self._open)

    def waiting(self) -> Iterator[Ask]:
        """Those for which nothing has been granted yet, oldest first."""
        return (ask for ask in self if ask.granted is None)

    def of(self, variant: str) -> list[Ask]:
        """Those about one variant."""
        return [ask for ask in self if ask.event.variant == variant]

    def find(self, device: str, variant: str) -> Ask | None:
        """The open ask about a variant on a device (empty: any)."""
        return self._open.get((device, variant))

    def take(self, event: events.ResidencyAsked, position: int) -> None:
        """Somebody asked; the opposite of it is not wanted any more."""
        self._open.pop((event.device, event.variant), None)
        ask = Ask(event, position)
        if not self._done(ask):
            self._open[event.device, event.variant] = ask

    def follow(self, event: OfDevice) -> None:
        """A device that has taken an event of its own: what was asked of it may have come."""
        match event:
            case events.ResidencyGranted():
                self._granted(event)
            case events.ResidencyFailed():
                self._failed(event)
                self._loaded(event.device)
            case events.ResidencyChanged() | events.DeviceAttached() | events.DeviceResumed():
                self._loaded(event.device)
            case _:
                pass

    def restore(self, asks: Iterable[Ask]) -> None:
        """Take open asks from a snapshot."""
        self._open = {(ask.event.device, ask.event.variant): ask for ask in asks}

    def stays(self, device: str, variant: str) -> bool:
        """Whether a variant is loaded on a device and nobody has asked to unload it there."""
        ask = self._open.get((device, variant))
        leaves = ask is not None and not ask.event.load
        return variant in self._devices[device].slots_of and not leaves

    def _granted(self, event: events.ResidencyGranted) -> None:
        """A change begins; if it is one that was asked for, the ask waits for its end."""
        if event.cause != OPERATOR:
            return
        wanted = [((event.device, event.load), True), (("", event.load), True)]
        wanted += [((event.device, variant), False) for variant in event.unload]
        for key, load in wanted:
            ask = self._open.get(key)
            if ask is not None and ask.event.load is load and ask.granted is None:
                ask.granted = (event.device, event.generation)

    def _failed(self, event: events.ResidencyFailed) -> None:
        """What was granted for an ask could not be done: the operator decides anew."""
        self._close(lambda ask: ask.granted == (event.device, event.generation))

    def _loaded(self, device: str) -> None:
        """What a device has loaded is known anew; changes that were under way there are over."""
        for ask in self:
            if ask.granted is not None and ask.granted[0] == device:
                ask.granted = None
        self._close(self._done)

    def _close(self, over: Callable[[Ask], bool]) -> None:
        self._open = {key: ask for key, ask in self._open.items() if not over(ask)}

    def _done(self, ask: Ask) -> bool:
        event = ask.event
        if not event.device:
            # An unload of no device takes back an open load, and waits for nothing.
            return not event.load or any(self.stays(name, event.variant) for name in self._devices)
        device = self._devices.get(event.device)
        return (device is not None and event.variant in device.slots_of) is event.load
