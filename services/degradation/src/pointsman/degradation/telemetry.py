"""Every instrument of the degradation service."""

from typing import Final

from opentelemetry import metrics

_meter: Final = metrics.get_meter("pointsman.degradation")

STEPS: Final = _meter.create_counter(
    "pointsman.degradation.steps",
    unit="{step}",
    description="Steps of the ladder by the level reached and the signal",
)
LEVEL: Final = _meter.create_gauge(
    "pointsman.degradation.level",
    description="Rung of the ladder: 0 normal, 1 conserve, 2 degrade, 3 shed",
)
FALLBACKS: Final = _meter.create_counter(
    "pointsman.degradation.fallbacks",
    unit="{fallback}",
    description="Fallbacks that started, by code and whether there was a viable one",
)
UNKNOWN_INPUTS: Final = _meter.create_gauge(
    "pointsman.degradation.inputs.unknown",
    unit="{input}",
    description="Inputs of the ladder that are stale",
)
