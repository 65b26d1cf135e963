"""What there was besides tasks in a recorded time: what is repeated, and what is not."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.levels import Level
from pointsman.time_machine.whatif.device_turns import WITH_DEVICE

_LIMITS: Final = "limits of models"
_TENANTS: Final = "weights and limits of tenants"
_DRAINS: Final = "drains of devices"
_BREAKERS: Final = "breakers that opened"
_LADDER: Final = "levels of the ladder"
_CAME_BACK: Final = "devices that came back"
_CANARIES: Final = "canaries that answered wrongly"
_PAUSES: Final = "pauses"
_HOLDS: Final = "holds of tasks"
_LEADERS: Final = "times without a leader"
_LOST_WITH_DEVICE: Final = "attempts that were lost with their device"
_LOST: Final = "attempts that were lost otherwise"
_WARM_UPS: Final = "loads before anybody asked"

_HAPPENED: Final[Mapping[type[Decision], str]] = {
    events.TaskRekeyed: "boosts and moves by operators",
    events.ResidencyAsked: "loads and unloads that operators asked for",
    events.ResidencyFailed: "loads that failed",
    events.FallbackStarted: "fallbacks",
    events.TaskHedged: "hedges",
    events.AttemptFailed: "attempts that failed",
    events.AttemptTimedOut: "attempts that timed out",
}
_REPEATED: Final[Mapping[type[Decision], str]] = {
    events.TaskHeld: _HOLDS,
    events.DeviceSuspended: "devices that stopped serving",
    events.DeviceDetached: "devices that left",
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
    events.CanaryChanged,
    events.PoolPaused,
    events.PoolResumed,
    events.LeaderElected,
    events.AttemptLost,
    events.ResidencyGranted,
)
OF_SURROUNDINGS: Final = (*_HAPPENED, *_REPEATED, *_STANDING)
REPEATED: Final = (
    *(_LIMITS, _TENANTS, _PAUSES, *_REPEATED.values(), _DRAINS, _CANARIES, _CAME_BACK),
    *(_LOST_WITH_DEVICE, _LEADERS),
)
"""What operators and the fleet did, at the times when they did it."""
NOT_REPEATED: Final = (_BREAKERS, _LADDER, *_HAPPENED.values(), _WARM_UPS, _LOST)


class _Stands(NamedTuple):
    """Something that stands from now on, or does not any more."""

    what: str
    name: str
    on: bool


def _stands(event: Decision) -> _Stands | None:
    match event:
        case events.ModelLimited():
            found = _Stands(_LIMITS, event.variant, event.running is not None)
        case events.TenantSet():
            is_set = (event.weight, event.running, event.queued) != (1.0, None, None)
            found = _Stands(_TENANTS, event.tenant, is_set)
        case events.DrainStarted() | events.DrainEnded():
            found = _Stands(_DRAINS, event.device, isinstance(event, events.DrainStarted))
        case events.BreakerOpened() | events.BreakerClosed():
            name = f"{event.variant} on {event.device}"
            found = _Stands(_BREAKERS, name, isinstance(event, events.BreakerOpened))
        case events.LevelChanged():
            found = _Stands(_LADDER, event.pool, event.level is not Level.NORMAL)
        case events.PoolPaused() | events.PoolResumed():
            name = f"{event.kind} {event.name}"
            found = _Stands(_PAUSES, name, isinstance(event, events.PoolPaused))
        case events.CanaryChanged():
            found = _Stands(_CANARIES, event.device, not event.healthy)
        case _:
            return None
    return found


class Surroundings:
    """Takes the events of a pool up to the end of the time, in order."""

    def __init__(self, begin: float) -> None:
        self._begin = begin
        self._stands: dict[str, set[str]] = {}
        self._happened: Counter[str] = Counter()

    def take(self, event: Decision) -> None:
        """The next event."""
        what = _HAPPENED.get(type(event)) or _REPEATED.get(type(event))
        if what is not None:
            self._happened[what] += event.at >= self._begin
            return
        if (stands := _stands(event)) is not None:
            self._set(stands, event)
            return
        match event:
            case events.AttemptLost():
                what = _LOST_WITH_DEVICE if event.reason in WITH_DEVICE else _LOST
                self._happened[what] += event.at >= self._begin
            case events.ResidencyGranted():
                self._happened[_WARM_UPS] += event.cause == "predicted" and event.at >= self._begin
            case events.DeviceAttached():
                self._again(_CAME_BACK, event.device, event)
            case events.LeaderElected():
                self._again(_LEADERS, event.pool, event)
            case _:
                pass

    def counts(self) -> dict[str, int]:
        """How often each of both was there in the time, or stood when it began."""
        return {what: self._happened[what] for what in (*REPEATED, *NOT_REPEATED)}

    def _again(self, what: str, name: str, event: Decision) -> None:
        known = self._stands.setdefault(what, set())
        self._happened[what] += name in known and event.at >= self._begin
        known.add(name)

    def _set(self, standing: _Stands, event: Decision) -> None:
        what, name, on = standing
        stands = self._stands.setdefault(what, set())
        in_time = event.at >= self._begin
        if on and (in_time or name not in stands):
            self._happened[what] += 1
        if not on and not in_time and name in stands:
            self._happened[what] -= 1
        (stands.add if on else stands.discard)(name)
