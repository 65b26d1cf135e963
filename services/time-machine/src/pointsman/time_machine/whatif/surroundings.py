"""What there was besides tasks in a recorded time, and no simulation repeats."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.levels import Level

_LIMITS: Final = "limits of models"
_TENANTS: Final = "weights and limits of tenants"
_DRAINS: Final = "drains of devices"
_BREAKERS: Final = "breakers that opened"
_LADDER: Final = "levels of the ladder"
_CAME_BACK: Final = "devices that came back"

_HAPPENED: Final[Mapping[type[Decision], str]] = {
    events.TaskRekeyed: "boosts and moves by operators",
    events.ResidencyAsked: "loads and unloads that operators asked for",
    events.ResidencyFailed: "loads that failed",
    events.DeviceSuspended: "devices that stopped serving",
    events.DeviceDetached: "devices that left",
    events.FallbackStarted: "fallbacks",
    events.TaskHedged: "hedges",
    events.AttemptFailed: "attempts that failed",
    events.AttemptTimedOut: "attempts that timed out",
    events.AttemptLost: "attempts that were lost",
}
_STANDING: Final = (
    events.ModelLimited,
    events.TenantSet,
    events.DrainStarted,
    events.DrainEnded,
    events.BreakerOpened,
    events.BreakerClosed,
    events.LevelChanged,
    events.DeviceAttached,
)
OF_SURROUNDINGS: Final = (*_HAPPENED, *_STANDING)
ALL: Final = (_LIMITS, _TENANTS, _DRAINS, _BREAKERS, _LADDER, _CAME_BACK, *_HAPPENED.values())


class Surroundings:
    """Takes the events of a pool up to the end of the time, in order."""

    def __init__(self, begin: float) -> None:
        self._begin = begin
        self._stands: dict[str, set[str]] = {}
        self._devices: set[str] = set()
        self._happened: Counter[str] = Counter()

    def take(self, event: Decision) -> None:
        """The next event."""
        if (what := _HAPPENED.get(type(event))) is not None:
            self._happened[what] += event.at >= self._begin
            return
        match event:
            case events.ModelLimited():
                self._set(_LIMITS, event.variant, event, on=event.running is not None)
            case events.TenantSet():
                is_set = (event.weight, event.running, event.queued) != (1.0, None, None)
                self._set(_TENANTS, event.tenant, event, on=is_set)
            case events.DrainStarted() | events.DrainEnded():
                on = isinstance(event, events.DrainStarted)
                self._set(_DRAINS, event.device, event, on=on)
            case events.BreakerOpened() | events.BreakerClosed():
                on = isinstance(event, events.BreakerOpened)
                self._set(_BREAKERS, f"{event.variant} on {event.device}", event, on=on)
            case events.LevelChanged():
                self._set(_LADDER, event.pool, event, on=event.level is not Level.NORMAL)
            case events.DeviceAttached():
                known = event.device in self._devices
                self._happened[_CAME_BACK] += known and event.at >= self._begin
                self._devices.add(event.device)
            case _:
                pass

    def counts(self) -> dict[str, int]:
        """How often each of `ALL` was there in the time, or stood when it began."""
        return {what: self._happened[what] for what in ALL}

    def _set(self, what: str, name: str, event: Decision, *, on: bool) -> None:
        stands = self._stands.setdefault(what, set())
        in_time = event.at >= self._begin
        if on and (in_time or name not in stands):
            self._happened[what] += 1
        if not on and not in_time and name in stands:
            self._happened[what] -= 1
        (stands.add if on else stands.discard)(name)
