"""When a reading becomes an event: readings are lossy, what decisions cite is recorded.

A value stays at its step until it is a whole step away: half a step to the edge, and half a step
of hysteresis, so that a value on an edge does not flap.
"""

from typing import Final

from pointsman.contracts.events import DeviceSampled
from pointsman.contracts.telemetry import DeviceReading

# A busy device would otherwise write one event per second for as long as it works.
LEAST_INTERVAL_S: Final = 2.0

UTILISATION_STEP: Final = 0.1
MEMORY_STEP: Final = 0.05
TEMPERATURE_STEP_C: Final = 5.0
POWER_STEP_W: Final = 25.0
# Readings are doubles: without it a value exactly one step away would be told by its last bit.
_ROUNDING: Final = 1e-9


def quantise(value: float | None, step: float, before: float | None) -> float | None:
    """The step that stands for `value` after the step `before`; None for what is not measured."""
    if value is None:
        return None
    if before is not None and abs(value - before) < step - _ROUNDING:
        return before
    return round(round(value / step) * step, 6)


def sample(
    reading: DeviceReading,
    before: DeviceSampled | None,
    *,
    id: str,
    now: float,
    applied_to: int,
) -> DeviceSampled | None:
    """None: nothing changed by a step, or the latest sample is too young."""
    if before is not None and now - before.at < LEAST_INTERVAL_S:
        return None
    # Another source starts anew: its steps say nothing about this one's.
    last = before if before is not None and before.source == reading.source else None
    total = reading.memory_total_mib
    sampled = DeviceSampled(
        at=now,
        applied_to=applied_to,
        device=reading.device,
        sample=id,
        source=reading.source,
        state=reading.state,
        utilisation=quantise(
            reading.utilisation, UTILISATION_STEP, last.utilisation if last else None
        ),
        memory=quantise(reading.memory, MEMORY_STEP, last.memory if last else None),
        memory_total_mib=None if total is None else float(round(total)),
        temperature_c=quantise(
            reading.temperature_c, TEMPERATURE_STEP_C, last.temperature_c if last else None
        ),
        power_w=quantise(reading.power_w, POWER_STEP_W, last.power_w if last else None),
    )
    return sampled if before is None or _content(sampled) != _content(before) else None


def _content(sampled: DeviceSampled) -> tuple[object, ...]:
    return (
        sampled.source,
        sampled.state,
        sampled.utilisation,
        sampled.memory,
        sampled.memory_total_mib,
        sampled.temperature_c,
        sampled.power_w,
    )
