"""The numbers that the ladder climbs by, and what each of them is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pointsman.contracts.events import Pressure
from pointsman.contracts.levels import Level

ALERTS: Final = frozenset({"task_latency", "gpu_memory"})
"""Alerts that are a reason for at least `conserve`."""

LOOKS_BACK: Final = "task_latency"

RELIEF_SHARE: Final = 0.5
"""A level is left once the wait is below this share of its entry threshold: entering and leaving
at the same figure would follow every ripple of the queue."""

DEVICE_RELIEF: Final = 0.05
"""How far below its limit a device must be before it ceases to be a reason."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds, except where a field says otherwise."""

    conserve_s: float = 0.5
    degrade_s: float = 1.5
    shed_s: float = 15.0
    """Predicted wait above which each level is entered."""
    up_hold_s: float = 1.0
    """How long a threshold is exceeded, at the level, before the ladder climbs: one sample alone
    is a ripple, and a step must have shown its effect."""
    recovery_s: float = 4.0
    """How long there is headroom, at the level, before the ladder descends."""
    hold_s: float = 4.0
    """How long a level stands before the ladder moves the other way."""
    recovery_load: float = 0.8
    """Share of what the best variants carry below which there is headroom."""
    device_high: float = 0.95
    """Share of a device's use or memory above which it is at its limit."""

    @property
    def entry(self) -> Mapping[Level, float]:
        """The predicted wait above which a level is entered."""
        return {
            Level.CONSERVE: self.conserve_s,
            Level.DEGRADE: self.degrade_s,
            Level.SHED: self.shed_s,
        }

    def pressing(self, pressure: Pressure) -> tuple[str, ...]:
        """Alerts that are a reason to save now.

        The latency alert looks back over a window: with next to nothing waiting and headroom at
        the best variants it tells of the past, and neither raises the ladder nor keeps it up. While
        an operator keeps tasks back it tells of those as well, and the predicted wait does not.
        """
        wait_s, load = pressure.predicted_wait_s, pressure.load_at_best
        quiet = (
            wait_s is not None
            and load is not None
            and wait_s < self.relief_s(Level.CONSERVE)
            and load <= self.recovery_load
        )
        silent = quiet or (wait_s is not None and pressure.kept_back > 0)
        return tuple(
            alert
            for alert in pressure.alerts
            if not (silent and alert.partition("/")[0] == LOOKS_BACK)
        )

    def relief_s(self, level: Level) -> float:
        """The predicted wait below which a level may be left downwards."""
        return RELIEF_SHARE * self.entry[level]
