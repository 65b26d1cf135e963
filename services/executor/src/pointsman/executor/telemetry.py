"""Every instrument of the executor."""

from typing import Final

from opentelemetry import metrics

_meter: Final = metrics.get_meter("pointsman.executor")

ATTEMPTS: Final = _meter.create_counter(
    "pointsman.executor.attempts",
    unit="{attempt}",
    description="Attempts that ended, by device and outcome",
)
RUN_TIME: Final = _meter.create_histogram(
    "pointsman.executor.run.duration",
    unit="s",
    description="Call sent to the engine until its answer was read",
    explicit_bucket_boundaries_advisory=[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
    ],
)  # fmt: skip
RUNNING: Final = _meter.create_up_down_counter(
    "pointsman.executor.running",
    unit="{attempt}",
    description="Attempts that run now",
)
GRANTS_REFUSED: Final = _meter.create_counter(
    "pointsman.executor.grants.refused",
    unit="{grant}",
    description="Grants that were not taken, by reason",
)
DEVICE_LOSSES: Final = _meter.create_counter(
    "pointsman.executor.device.losses",
    unit="{loss}",
    description="Times that a device stopped serving",
)
RESIDENCY_CHANGES: Final = _meter.create_counter(
    "pointsman.executor.residency.changes",
    unit="{change}",
    description="Changes of what a device has loaded that ended, by device and outcome",
)
