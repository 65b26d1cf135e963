"""Why a step was taken and the other levels were not, in sentences with their figures."""

from pointsman.contracts.degradation import SetOverride
from pointsman.contracts.events import LevelAlternative, Pressure
from pointsman.contracts.levels import LEVELS, Level
from pointsman.degradation.domain.ladder import Signal, rank
from pointsman.degradation.domain.rules import Rules
from pointsman.degradation.domain.stand import Stand
from pointsman.degradation.domain.timers import Timers


class Grounds:
    """Sentences about one decision."""

    def __init__(self, rules: Rules, pressure: Pressure) -> None:
        self._rules = rules
        self._pressure = pressure

    def reason(self, signal: Signal, stand: Stand, timers: Timers, after: Level, at: float) -> str:
        """What the signal is made of."""
        match signal:
            case Signal.WAIT_LONG:
                lasted = timers.long_s(after, at, stand.since) or 0.0
                limit = self._rules.entry[after]
                return f"{self._wait}, above {limit:g} s for {lasted:.1f} s"
            case Signal.ALERT_STANDS:
                return f"alerts stand: {', '.join(self._rules.pressing(self._pressure))}"
            case Signal.DEVICE_FULL:
                lasted = timers.device_s(at, stand.since) or 0.0
                return f"{self._device}, above {self._rules.device_high:.0%} for {lasted:.1f} s"
            case _:
                lasted = timers.headroom_s(stand.level, at, stand.since) or 0.0
                return (
                    f"for {lasted:.1f} s {self._wait}, below "
                    f"{self._rules.relief_s(stand.level):g} s, and {self._load}, "
                    f"not above {self._rules.recovery_load:.0%}"
                )

    def override(self, command: SetOverride) -> str:
        """Whose will it is."""
        why = f": {command.reason}" if command.reason else ""
        return f"{command.by} holds the ladder at {command.level} for {command.ttl_s:g} s{why}"

    def overruled(self, after: Level) -> tuple[LevelAlternative, ...]:
        """An override leaves no choice."""
        return tuple(
            LevelAlternative(level=level, why_not="an override leads past it or away from it")
            for level in LEVELS
            if level is not after
        )

    def alternatives(self, before: Level, after: Level) -> tuple[LevelAlternative, ...]:
        """The levels that were not taken."""
        return tuple(
            LevelAlternative(level=level, why_not=self._why_not(level, before, after))
            for level in LEVELS
            if level is not after
        )

    def _why_not(self, level: Level, before: Level, after: Level) -> str:
        rising = rank(after) > rank(before)
        if rising and rank(level) > rank(after):
            limit = self._rules.entry[level]
            wait_s = self._pressure.predicted_wait_s
            exceeded = "is" if wait_s is not None and wait_s > limit else "is not"
            return f"one step at a time; {self._wait}, which {exceeded} above its {limit:g} s"
        if rising:
            return "there is a reason to go up, so the ladder neither stays nor goes down"
        if rank(level) < rank(after):
            return "one step at a time, so that the headroom is seen to last"
        if level is before:
            return f"there is headroom: {self._wait}, {self._load}"
        return f"nothing demands it: {self._wait}"

    @property
    def _wait(self) -> str:
        wait_s, family = self._pressure.predicted_wait_s, self._pressure.family
        of = f" of family {family}" if family else ""
        shown = "unknown" if wait_s is None else f"{wait_s:.2f} s"
        return f"the predicted wait{of} is {shown}"

    @property
    def _load(self) -> str:
        load = self._pressure.load_at_best
        shown = "an unknown share" if load is None else f"{load:.0%}"
        return f"the demand is {shown} of what the best variants carry"

    @property
    def _device(self) -> str:
        device = self._pressure.device or 0.0
        waiting = (self._pressure.queued or 0) - self._pressure.kept_back
        return f"a device is at {device:.0%} while {waiting} tasks wait"
