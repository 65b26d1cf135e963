"""The latest readings, and what they say together.

A CPU device that is busy does what it is for, and its executor shares it with everything else on
the machine, so of CPU devices only the memory counts. On a GPU the greater of utilisation and
memory does. Devices that nothing has ever measured are no input; one that was measured and fell
silent is unknown.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pointsman.contracts.degradation import InputAge
from pointsman.contracts.events import Pressure
from pointsman.contracts.telemetry import (
    POOL_EVERY_S,
    READING_EVERY_S,
    STALE_PERIODS,
    DeviceReading,
    FamilyLoad,
    PoolSample,
)
from pointsman.degradation.domain.demand import Demand
from pointsman.degradation.domain.rules import ALERTS
from pointsman.degradation.domain.surroundings import StandingAlert, Surroundings

POOL_STALE_S: Final = STALE_PERIODS * POOL_EVERY_S
READING_STALE_S: Final = STALE_PERIODS * READING_EVERY_S

MEASURED: Final = "measured"
_ABSENT: Final = "absent"
_GPU: Final = "gpu"
_HEADS: Final = 16


@dataclass(frozen=True, slots=True)
class _Heard:
    reading: DeviceReading
    at: float


class Gauges:
    """Readings by the time at which they were heard: senders' clocks may differ from ours."""

    def __init__(self) -> None:
        self._sample: PoolSample | None = None
        self._sample_at = 0.0
        self._devices: dict[str, _Heard] = {}
        self._demand = Demand()
        self._heads: deque[tuple[float, int]] = deque(maxlen=_HEADS)

    def sampled(self, sample: PoolSample, at: float) -> None:
        """A reading of the pool; one that is not newer than the last is passed over."""
        if self._sample is None or sample.at > self._sample.at:
            self._sample, self._sample_at = sample, at
            self._demand.sampled(sample)
            self._heads.append((at, sample.applied_to))
            self._forget_detached(sample, at)

    def measured(self, reading: DeviceReading, at: float) -> None:
        """A reading of a device."""
        last = self._devices.get(reading.device)
        if last is None or reading.at > last.reading.at:
            self._devices[reading.device] = _Heard(reading, at)

    def pressure(self, known: Surroundings, pool: str, at: float) -> Pressure:
        """What the ladder knows now."""
        # A view that is catching up shows alerts of the past.
        behind = self._is_behind(known.position, at)
        standing = () if behind else known.alerts
        alerts = tuple(str(alert) for alert in standing if _counts(alert, known, pool))
        stale = ("feed",) if behind else ()
        sample = self._fresh_sample(at)
        if sample is None:
            return Pressure(alerts=alerts, unknown=("pool", *stale))
        wait_s, family = _longest_wait(sample)
        load = self._demand.load_at_best(sample)
        used = list(self._fresh(sample, at))
        shares = [share for each in used if (share := _share(each, known)) is not None]
        unknown = [*stale, *(f"device/{name}" for name in self._silent(sample, at))]
        unknown += ["predicted_wait"] if wait_s is None else []
        unknown += ["load_at_best"] if load is None else []
        return Pressure(
            predicted_wait_s=wait_s,
            load_at_best=load,
            device=max(shares, default=None),
            queued=sum(each.queued for each in sample.families),
            kept_back=sum(each.kept_back for each in sample.families),
            family=family,
            alerts=alerts,
            samples=tuple(each.sample for each in used if each.sample),
            unknown=tuple(unknown),
        )

    def free_mib(self, at: float) -> Mapping[str, float]:
        """Memory that is not in use, by device, as far as it is known."""
        return {
            name: heard.reading.memory_total_mib * (1.0 - heard.reading.memory)
            for name, heard in self._devices.items()
            if at - heard.at <= READING_STALE_S
            and heard.reading.memory is not None
            and heard.reading.memory_total_mib is not None
        }

    def ages(self, at: float) -> tuple[InputAge, ...]:
        """How old each input is."""
        ages: list[InputAge] = []
        if self._sample is not None:
            age_s = at - self._sample_at
            ages.append(InputAge(input="pool", age_s=age_s, stale=age_s > POOL_STALE_S))
        for name, heard in sorted(self._devices.items()):
            age_s = at - heard.at
            stale = age_s > READING_STALE_S
            ages.append(InputAge(input=f"device/{name}", age_s=age_s, stale=stale))
        return tuple(ages)

    def _is_behind(self, position: int, at: float) -> bool:
        """Whether the view lacks what the leader had folded three periods ago."""
        if not self._heads or position >= self._heads[-1][1]:
            return False
        old = [head for heard_at, head in self._heads if at - heard_at >= POOL_STALE_S]
        return not old or position < old[-1]

    def _forget_detached(self, sample: PoolSample, at: float) -> None:
        attached = {device.device for device in sample.devices}
        self._devices = {
            name: heard
            for name, heard in self._devices.items()
            if name in attached or at - heard.at <= READING_STALE_S
        }

    def _fresh_sample(self, at: float) -> PoolSample | None:
        return self._sample if at - self._sample_at <= POOL_STALE_S else None

    def _fresh(self, sample: PoolSample, at: float) -> Iterator[DeviceReading]:
        for name in _ready(sample):
            heard = self._devices.get(name)
            if heard is not None and _is_known(heard, at):
                yield heard.reading

    def _silent(self, sample: PoolSample, at: float) -> Iterator[str]:
        for name in _ready(sample):
            heard = self._devices.get(name)
            if heard is not None and heard.reading.state != _ABSENT and not _is_known(heard, at):
                yield name


def _ready(sample: PoolSample) -> Iterator[str]:
    # What a device shows that does not serve is not the pool's pressure.
    return (device.device for device in sample.devices if device.state == "ready")


def _is_known(heard: _Heard, at: float) -> bool:
    return heard.reading.state == MEASURED and at - heard.at <= READING_STALE_S


def _share(reading: DeviceReading, known: Surroundings) -> float | None:
    attached = known.devices.get(reading.device)
    shares = [reading.memory]
    if attached is not None and attached.device_class == _GPU:
        shares.append(reading.utilisation)
    return max((share for share in shares if share is not None), default=None)


def _longest_wait(sample: PoolSample) -> tuple[float | None, str]:
    waits = [
        (wait_s, load.family) for load in sample.families if (wait_s := _wait_s(load)) is not None
    ]
    if waits:
        return max(waits)
    # Tasks that nothing serves wait for a device, which no level brings; how long is unknown. Those
    # that an operator keeps back wait for him.
    somebody_waits = any(load.queued > load.kept_back for load in sample.families)
    return (None, "") if somebody_waits else (0.0, "")


def _wait_s(load: FamilyLoad) -> float | None:
    """How long a task of a family waits for those before it.

    A load that it needs first is not counted: it passes, and no level makes it shorter, whereas the
    queue behind it grows as behind any device. Nobody waits where nobody asks.
    """
    if load.predicted_wait_s is not None or load.load_wait_s is None:
        return load.predicted_wait_s
    return load.load_wait_s - load.load_s if load.queued > load.kept_back else None


def _counts(alert: StandingAlert, known: Surroundings, pool: str) -> bool:
    device = known.devices.get(alert.subject)
    return alert.alert in ALERTS and (device is None or device.pool == pool)
