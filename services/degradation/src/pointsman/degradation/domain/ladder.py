"""The ladder as a table; ARCHITECTURE.md's diagram is generated from it.

Levels move between neighbours only, so that a brownout is seen before work is refused, and each
step shows its effect before the next. Who demands more, an operator's override, gets it as several
steps in one append.

A long predicted wait leads all the way up: it is the promise that breaks. Alerts and devices at
their limit lead to `conserve` and no further, because smaller models are no remedy for a device
that is full or a latency that nobody waits for; using what is free now costs nothing.
Headroom leads down from everywhere, one rung at a time, since each rung brings back demand that
the one above kept away. A pair that is not listed leaves the level as it is.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pointsman.contracts.levels import LEVELS, Level


class Signal(StrEnum):
    """What moves a ladder by one step."""

    WAIT_LONG = "wait_long"
    """The predicted wait is above the entry threshold of the next level."""
    ALERT_STANDS = "alert_stands"
    """A `task_latency` or `gpu_memory` alert stands."""
    DEVICE_FULL = "device_full"
    """A device is at its limit while tasks wait."""
    HEADROOM = "headroom"
    """The best variants would carry the demand, and hardly anything waits."""
    OVERRIDE_UP = "override_up"
    OVERRIDE_DOWN = "override_down"


TRANSITIONS: Final[Mapping[tuple[Level, Signal], Level]] = MappingProxyType(
    {
        (Level.NORMAL, Signal.WAIT_LONG): Level.CONSERVE,
        (Level.NORMAL, Signal.ALERT_STANDS): Level.CONSERVE,
        (Level.NORMAL, Signal.DEVICE_FULL): Level.CONSERVE,
        (Level.CONSERVE, Signal.WAIT_LONG): Level.DEGRADE,
        (Level.DEGRADE, Signal.WAIT_LONG): Level.SHED,
        (Level.SHED, Signal.HEADROOM): Level.DEGRADE,
        (Level.DEGRADE, Signal.HEADROOM): Level.CONSERVE,
        (Level.CONSERVE, Signal.HEADROOM): Level.NORMAL,
        (Level.NORMAL, Signal.OVERRIDE_UP): Level.CONSERVE,
        (Level.CONSERVE, Signal.OVERRIDE_UP): Level.DEGRADE,
        (Level.DEGRADE, Signal.OVERRIDE_UP): Level.SHED,
        (Level.SHED, Signal.OVERRIDE_DOWN): Level.DEGRADE,
        (Level.DEGRADE, Signal.OVERRIDE_DOWN): Level.CONSERVE,
        (Level.CONSERVE, Signal.OVERRIDE_DOWN): Level.NORMAL,
    }
)


def rank(level: Level) -> int:
    """0 for the best service."""
    return LEVELS.index(level)


def path(level: Level, target: Level) -> list[tuple[Signal, Level]]:
    """The steps of an override from one level to another; none if it stands there."""
    signal = Signal.OVERRIDE_UP if rank(target) > rank(level) else Signal.OVERRIDE_DOWN
    steps: list[tuple[Signal, Level]] = []
    while level is not target:
        level = TRANSITIONS[level, signal]
        steps.append((signal, level))
    return steps


def diagram() -> str:
    """The table as a Mermaid state diagram, one arrow per pair of levels."""
    arrows: dict[tuple[Level, Level], list[str]] = {}
    for (before, signal), after in TRANSITIONS.items():
        arrows.setdefault((before, after), []).append(signal.value)
    lines = ["stateDiagram-v2", f"    [*] --> {Level.NORMAL}"]
    lines += [f"    {a} --> {b}: {', '.join(names)}" for (a, b), names in arrows.items()]
    return "\n".join(lines) + "\n"
