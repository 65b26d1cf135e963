"""Events of the resource monitor: quantised samples, canaries, forecasts and alerts."""

from pointsman.contracts.events.tasks import Decision


class DeviceSampled(Decision, frozen=True):
    """A device's readings changed by at least one step; readings in between are telemetry.

    Shares are 0 to 1. None: not measured, which is not the same as zero.
    """

    device: str
    sample: str
    """What decisions cite (UUIDv7)."""
    source: str
    """`psutil`, `nvml` or `triton`."""
    state: str
    """`measured`, `absent` (nothing measures it) or `lost` (it was measured before)."""
    utilisation: float | None = None
    """In steps of 0.1."""
    memory: float | None = None
    """Share of the device's memory in use, in steps of 0.05."""
    memory_total_mib: float | None = None
    temperature_c: float | None = None
    """In steps of 5."""
    power_w: float | None = None
    """In steps of 25."""


class CanaryChanged(Decision, frozen=True):
    """A device began or ceased to answer its canary with the right bytes."""

    device: str
    variant: str
    healthy: bool
    detail: str
    expected_digest: str = ""
    """SHA-256 of the bytes that were expected, in hexadecimal."""
    found_digest: str = ""
    """Of the bytes that came; empty if none did."""
    seconds: float | None = None


class ForecastMade(Decision, frozen=True):
    """Demand of a family in the next bucket, beside the naive forecast (the last bucket again).

    Errors are WAPE over the recent buckets: sum of absolute errors over sum of demand; None while
    there is nothing to divide by.
    """

    family: str
    bucket_s: float
    measured_per_s: float
    """Tasks accepted per second in the bucket that has just ended."""
    ewma_per_s: float
    naive_per_s: float
    ewma_wape: float | None = None
    naive_wape: float | None = None
    buckets: int = 0
    """Buckets that the errors stand on."""


class AlertRaised(Decision, frozen=True):
    """A threshold was exceeded for so long that somebody should know."""

    alert: str
    """`gpu_memory`, `task_latency`, `error_rate` or `quality_drop`."""
    subject: str
    """What it speaks of: a device, a family, or the pool."""
    value: float
    threshold: float
    unit: str
    for_s: float
    since: float
    """When the threshold was first exceeded without a break."""
    samples: tuple[str, ...] = ()
    """Device samples that the value rests on."""


class AlertCleared(Decision, frozen=True):
    """The alert is over."""

    alert: str
    subject: str
    value: float | None
    threshold: float
    raised_at: float
    reason: str = "below the threshold"
