"""Every instrument of the resource monitor.

Names of GPUs follow OpenTelemetry's semantic conventions (`hw.*`, development), with `hw.id` the
device; what they have no name for is `pointsman.*`.
"""

from typing import Final

from opentelemetry import metrics

_meter: Final = metrics.get_meter("pointsman.resource_monitor")

GPU_UTILISATION: Final = _meter.create_gauge(
    "hw.gpu.utilization", unit="1", description="Share of time in which a GPU was busy"
)
GPU_MEMORY: Final = _meter.create_gauge(
    "hw.gpu.memory.utilization", unit="1", description="Share of a GPU's memory in use"
)
TEMPERATURE: Final = _meter.create_gauge(
    "hw.temperature", unit="Cel", description="Temperature of a device"
)
POWER: Final = _meter.create_gauge("hw.power", unit="W", description="Power drawn by a device")
STATUS: Final = _meter.create_gauge(
    "hw.status", unit="1", description="1 for the state of a device's readings, 0 for the others"
)
HOST_UTILISATION: Final = _meter.create_gauge(
    "pointsman.device.utilization_ratio",
    description="Share of time in which the processors of a CPU device's machine were busy",
)
HOST_MEMORY: Final = _meter.create_gauge(
    "pointsman.device.memory_ratio",
    description="Share of the memory of a CPU device's machine in use",
)
FIGURES_DROPPED: Final = _meter.create_counter(
    "pointsman.resource_monitor.figures.dropped",
    unit="{figure}",
    description="Figures of GPUs that cannot be true, by GPU and figure",
)
DRIVER_HANGS: Final = _meter.create_counter(
    "pointsman.resource_monitor.driver.hangs",
    unit="{hang}",
    description="Questions to the GPU driver that were given up",
)
SAMPLES: Final = _meter.create_counter(
    "pointsman.resource_monitor.samples",
    unit="{sample}",
    description="Device samples that were recorded, by device",
)
CANARIES: Final = _meter.create_counter(
    "pointsman.resource_monitor.canaries",
    unit="{canary}",
    description="Canaries that were sent, by device and outcome",
)
CANARY_TIME: Final = _meter.create_histogram(
    "pointsman.resource_monitor.canary.duration",
    unit="s",
    description="Time that the engine took for a canary, by device",
    explicit_bucket_boundaries_advisory=[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
)
FORECASTS: Final = _meter.create_counter(
    "pointsman.resource_monitor.forecasts",
    unit="{forecast}",
    description="Forecasts that were recorded, by family",
)
FORECAST_ERROR: Final = _meter.create_gauge(
    "pointsman.resource_monitor.forecast.wape_ratio",
    description="Sum of absolute errors over sum of demand in recent buckets, by family and method",
)
ALERTS: Final = _meter.create_counter(
    "pointsman.resource_monitor.alerts",
    unit="{alert}",
    description="Alerts that were raised and cleared, by alert and change",
)
ALERTS_STANDING: Final = _meter.create_gauge(
    "pointsman.resource_monitor.alerts.standing",
    unit="{alert}",
    description="Alerts that stand, by alert",
)
