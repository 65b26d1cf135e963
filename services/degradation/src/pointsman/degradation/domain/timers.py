"""How long the conditions for a step have held without a break.

What is unknown raises nothing and lets nothing sink: a condition for climbing needs the reading
that it stands on, headroom needs all of them.
"""

from typing import Final

from pointsman.contracts.events import Pressure
from pointsman.contracts.levels import LEVELS, Level
from pointsman.degradation.domain.rules import DEVICE_RELIEF, Rules

_ABOVE_NORMAL: Final = LEVELS[1:]


class Timers:
    """Conditions with the time since when they hold; observed in order of time."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._long: dict[Level, float] = {}
        self._headroom: dict[Level, float] = {}
        self._device: float | None = None

    def observe(self, pressure: Pressure, at: float) -> None:
        """Take what is known now."""
        for level in _ABOVE_NORMAL:
            _note(self._long, level, at, holds=self._is_long(pressure, level))
            _note(self._headroom, level, at, holds=self._has_headroom(pressure, level))
        if not self._is_device_full(pressure):
            self._device = None
        elif self._device is None:
            self._device = at

    def long_s(self, level: Level, at: float, since: float | None = None) -> float | None:
        """How long the wait has been above the entry threshold of a level, counted from `since`."""
        return _lasted(self._long.get(level), at, since)

    def headroom_s(self, level: Level, at: float, since: float | None = None) -> float | None:
        """How long there has been the headroom that a level is left with."""
        return _lasted(self._headroom.get(level), at, since)

    def device_s(self, at: float, since: float | None = None) -> float | None:
        """How long a device has been at its limit while tasks wait."""
        return _lasted(self._device, at, since)

    def _is_long(self, pressure: Pressure, level: Level) -> bool:
        wait_s = pressure.predicted_wait_s
        return wait_s is not None and wait_s > self._rules.entry[level]

    def _is_device_full(self, pressure: Pressure) -> bool:
        limit = self._rules.device_high
        return pressure.device is not None and pressure.device > limit and _somebody_waits(pressure)

    def _has_headroom(self, pressure: Pressure, level: Level) -> bool:
        wait_s, load = pressure.predicted_wait_s, pressure.load_at_best
        if pressure.unknown or wait_s is None or load is None:
            return False
        if wait_s >= self._rules.relief_s(level) or load > self._rules.recovery_load:
            return False
        return level is not Level.CONSERVE or not self._keeps_conserve(pressure)

    def _keeps_conserve(self, pressure: Pressure) -> bool:
        limit = self._rules.device_high - DEVICE_RELIEF
        full = pressure.device is not None and pressure.device > limit
        return (full and _somebody_waits(pressure)) or bool(self._rules.pressing(pressure))


def _somebody_waits(pressure: Pressure) -> bool:
    """Whether a task waits for a device, and not for an operator."""
    return (pressure.queued or 0) > pressure.kept_back


def _note(since: dict[Level, float], level: Level, at: float, *, holds: bool) -> None:
    if holds:
        since.setdefault(level, at)
    else:
        since.pop(level, None)


def _lasted(began: float | None, at: float, since: float | None) -> float | None:
    if began is None:
        return None
    return max(0.0, at - max(began, since if since is not None else began))
