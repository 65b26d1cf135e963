"""Questions and answers on `pm.query.resource_monitor.<verb>`; nothing here changes anything.

A request is one JSON object, its reply one JSON document.

verb         request        reply
`snapshot`   `AskMonitor`   `Snapshot`
`alerts`     `ListAlerts`   list of `AlertRow`, newest first
`forecasts`  `AskMonitor`   list of `ForecastRow`, by family
`readings`   `AskMonitor`   list of `ReadingRow`, by device

What is not known is `unknown` or None, never a guess: a reading is unknown once it is older than
`telemetry.STALE_PERIODS` of its periods.
"""

from pointsman.contracts.message import Message

UNKNOWN = "unknown"


class AskMonitor(Message, frozen=True):
    """A question about what the monitor watches."""


class ListAlerts(Message, frozen=True):
    """Alerts that stand, or with `all` also those that were cleared."""

    all: bool = False
    limit: int = 100
    """1 to 1000."""


class AlertRow(Message, frozen=True):
    """One alert from its raising on."""

    alert: str
    subject: str
    state: str
    """`raised` or `cleared`."""
    value: float | None
    """When it was raised; of a cleared one, when it was cleared."""
    threshold: float
    unit: str
    since: float
    raised_at: float
    position: int
    """Log position of its last event."""
    cleared_at: float | None = None
    reason: str = ""
    samples: tuple[str, ...] = ()


class ForecastRow(Message, frozen=True):
    """The latest forecast of a family; see `events.ForecastMade`."""

    family: str
    at: float
    age_s: float
    state: str
    """`fresh`, or `unknown` when nothing has been forecast for some buckets."""
    bucket_s: float
    measured_per_s: float
    ewma_per_s: float
    naive_per_s: float
    ewma_wape: float | None = None
    naive_wape: float | None = None
    buckets: int = 0


class ReadingRow(Message, frozen=True):
    """The latest reading of a device."""

    device: str
    device_class: str
    state: str
    """`measured`, `absent`, `lost` or `unknown`."""
    source: str
    at: float | None = None
    age_s: float | None = None
    utilisation: float | None = None
    memory: float | None = None
    memory_total_mib: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    sample: str = ""


class InputAge(Message, frozen=True):
    """What the monitor stands on, and how old it is."""

    name: str
    state: str
    """`fresh`, `unknown` or `off` (nothing is configured)."""
    age_s: float | None = None
    detail: str = ""


class DeviceState(Message, frozen=True):
    """A device with all that is known of it."""

    device: str
    device_class: str
    executor: str
    pool_state: str
    """As its pool's leader sees it."""
    reading: ReadingRow
    canary: str
    """`healthy`, `unhealthy` or `unknown`."""
    canary_variant: str = ""
    canary_detail: str = ""
    canary_age_s: float | None = None
    slots: int | None = None
    occupied: int | None = None


class PoolFigures(Message, frozen=True):
    """One pool now; None: unknown."""

    pool: str
    queued: int | None = None
    granted: int | None = None
    latency_p95_s: float | None = None
    """Acceptance to completion of interactive and standard tasks; None below 20 of them."""
    stall_s: float | None = None
    """How long such tasks have been open without one of them being completed."""
    error_rate: float | None = None
    ended: int | None = None
    """Tasks that ended in the window of the error rate."""


class FamilyTasks(Message, frozen=True):
    """Tasks of a family since the beginning of the log, by where they stand."""

    family: str
    accepted: int
    open: int
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    shed: int = 0
    abandoned: int = 0


class VariantQuality(Message, frozen=True):
    """Ratings of a variant as last measured; see `events.MeasuredQuality`."""

    family: str
    variant: str
    ratings: int
    mean: float
    low: float
    high: float
    at: float


class Snapshot(Message, frozen=True):
    """Everything at one moment."""

    at: float
    position: int
    """Last position of the feed that was taken in."""
    inputs: tuple[InputAge, ...]
    devices: tuple[DeviceState, ...]
    pools: tuple[PoolFigures, ...]
    families: tuple[FamilyTasks, ...]
    quality: tuple[VariantQuality, ...]
    forecasts: tuple[ForecastRow, ...]
    alerts: tuple[AlertRow, ...]
    """Those that stand."""
