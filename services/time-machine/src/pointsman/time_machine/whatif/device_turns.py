"""What became of the devices of a pool, as their events tell it."""

from dataclasses import dataclass
from math import inf
from typing import Final

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.time_machine.circumstances import DeviceState

WITH_DEVICE: Final = frozenset({"executor_replaced", "device_unavailable"})
"""Why an attempt is lost that was lost because its device was."""

_GRANTED: Final = (events.TaskGranted, events.TaskHedged, events.ResidencyGranted)
_REPORTED: Final = (
    events.TaskCompleted,
    events.AttemptFailed,
    events.ResidencyChanged,
    events.ResidencyFailed,
)
OF_DEVICES: Final = (
    events.DeviceAttached,
    events.DeviceDetached,
    events.DeviceSuspended,
    events.DeviceResumed,
    events.DrainStarted,
    events.DrainEnded,
    events.CanaryChanged,
    events.AttemptLost,
    *_GRANTED,
    *_REPORTED,
)
"""What is read of a device; all of it says which."""

Turn = tuple[float, str, DeviceState]


@dataclass(slots=True)
class _Device:
    incarnation: str = ""
    attached: bool = False
    suspended: bool = False
    drained: bool = False
    canary_wrong: bool = False
    told: DeviceState = DeviceState.GONE
    lost_at: float = -inf
    reported_at: float = -inf
    granted_at: float | None = None
    """The first grant that was not answered by any report."""

    @property
    def state(self) -> DeviceState:
        if not self.attached:
            return DeviceState.GONE
        refuses = self.suspended or self.drained or self.canary_wrong
        return DeviceState.REFUSES if refuses else DeviceState.SERVES


class RecordedDevices:
    """Takes the events of a pool in order."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._devices: dict[str, _Device] = {}

    def take(self, event: Decision) -> None:
        """The next of `OF_DEVICES`; devices of other pools are never attached here."""
        name: str = getattr(event, "device", "")
        if isinstance(event, events.DeviceAttached):
            self._attached(name, event)
        device = self._devices.get(name)
        if device is None:
            return
        if isinstance(event, _GRANTED):
            device.granted_at = event.at if device.granted_at is None else device.granted_at
        elif isinstance(event, _REPORTED):
            device.reported_at, device.granted_at = event.at, None
        elif isinstance(event, events.AttemptLost):
            if event.reason in WITH_DEVICE:
                self._lose(name, device, event.at, in_flight=True)
        else:
            self._changed(name, device, event)
        self._tell(name, device, event.at)

    def all_turns(self, end: float) -> list[Turn]:
        """In the order of time; at the end each device serves again."""
        closed = [
            name for name, each in self._devices.items() if each.state is not each.state.SERVES
        ]
        back = [(end, name, DeviceState.SERVES) for name in closed]
        return sorted([*self.turns, *back], key=lambda turn: turn[0])

    def _changed(self, name: str, device: _Device, event: Decision) -> None:
        match event:
            case events.DeviceDetached():
                self._lose(name, device, event.at, in_flight=False)
                device.attached = False
            case events.DeviceSuspended():
                device.suspended = True
            case events.DeviceResumed():
                if event.residency == ():
                    self._lose(name, device, event.at, in_flight=False)
                device.suspended = False
            case events.DrainStarted() | events.DrainEnded():
                device.drained = isinstance(event, events.DrainStarted)
            case events.CanaryChanged():
                device.canary_wrong = not event.healthy
            case _:
                pass

    def _attached(self, name: str, event: events.DeviceAttached) -> None:
        device = self._devices.get(name)
        if device is None:
            device = self._devices[name] = _Device()
            self.turns.append((-inf, name, DeviceState.GONE))
        elif device.attached and device.incarnation != event.incarnation:
            self._lose(name, device, event.at, in_flight=False)
        device.incarnation, device.attached, device.suspended = event.incarnation, True, False
        # With nothing loaded no canary is asked for.
        device.canary_wrong &= bool(event.residency)

    def _lose(self, name: str, device: _Device, at: float, *, in_flight: bool) -> None:
        """It did nothing more since its last report, if it had something to do."""
        if device.lost_at == at:
            return
        since = device.reported_at if device.granted_at is None else device.granted_at
        if (in_flight or device.granted_at is not None) and not device.suspended:
            self.turns.append((min(at, since), name, DeviceState.SILENT))
        self.turns.append((at, name, DeviceState.GONE))
        device.told, device.lost_at, device.granted_at = DeviceState.GONE, at, None

    def _tell(self, name: str, device: _Device, at: float) -> None:
        if device.state is not device.told:
            device.told = device.state
            self.turns.append((at, name, device.told))
