"""Answers to questions: what is known now, and how old it is."""

from collections.abc import Iterator
from typing import Final

from pointsman.contracts.queries import DeviceRow
from pointsman.contracts.resource_monitor import (
    UNKNOWN,
    AlertRow,
    DeviceState,
    ForecastRow,
    InputAge,
    ListAlerts,
    PoolFigures,
    ReadingRow,
    Snapshot,
)
from pointsman.contracts.telemetry import POOL_EVERY_S, READING_EVERY_S
from pointsman.resource_monitor.domain.demand import BUCKET_S
from pointsman.resource_monitor.domain.freshness import fresh
from pointsman.resource_monitor.domain.monitor import Monitor
from pointsman.resource_monitor.ports import Engines, TaskView
from pointsman.resource_monitor.watching.canary_watch import CANARY_EVERY_S, CanaryWatch
from pointsman.resource_monitor.watching.device_watch import (
    LIST_EVERY_S,
    DeviceList,
    DeviceWatch,
)
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.runtime.clock import Clock

_MAX_ALERTS: Final = 1000
_FRESH: Final = "fresh"
_OFF: Final = "off"


class Questions:
    """Reads the watches and the view; changes nothing."""

    def __init__(
        self,
        devices: DeviceList,
        readings: DeviceWatch,
        canaries: CanaryWatch,
        window: FeedWindow,
        monitor: Monitor,
        view: TaskView,
        engines: Engines,
        clock: Clock,
    ) -> None:
        self._devices = devices
        self._readings = readings
        self._canaries = canaries
        self._window = window
        self._monitor = monitor
        self._view = view
        self._engines = engines
        self._clock = clock

    async def snapshot(self) -> Snapshot:
        """Everything at this moment."""
        families, quality = await self._view.families(), await self._view.quality()
        now = self._clock.wall()
        return Snapshot(
            at=now,
            position=self._window.progress.position,
            inputs=tuple(self._inputs(now)),
            devices=tuple(self._device(row, now) for row in self._devices.rows),
            pools=tuple(self._pools(now)),
            families=tuple(families),
            quality=tuple(quality),
            forecasts=tuple(self.forecasts()),
            alerts=tuple(self._monitor.alerts(everything=False)),
        )

    def alerts(self, asked: ListAlerts) -> list[AlertRow]:
        """Newest first."""
        limit = min(max(asked.limit, 1), _MAX_ALERTS)
        return self._monitor.alerts(everything=asked.all)[:limit]

    def forecasts(self) -> list[ForecastRow]:
        """By family."""
        now = self._clock.wall()
        return [
            ForecastRow(
                family=family,
                at=latest.at,
                age_s=now - latest.at,
                state=_state(latest.at, now, BUCKET_S),
                bucket_s=latest.bucket_s,
                measured_per_s=latest.measured_per_s,
                ewma_per_s=latest.ewma_per_s,
                naive_per_s=latest.naive_per_s,
                ewma_wape=latest.ewma_wape,
                naive_wape=latest.naive_wape,
                buckets=latest.buckets,
            )
            for family, outlook in sorted(self._monitor.outlooks.items())
            for latest in (outlook.latest,)
        ]

    def readings(self) -> list[ReadingRow]:
        """By device."""
        now = self._clock.wall()
        rows = sorted(self._devices.rows, key=lambda row: row.device)
        return [self._reading(row, now) for row in rows]

    def _reading(self, row: DeviceRow, now: float) -> ReadingRow:
        reading = self._readings.readings.get(row.device)
        if reading is None or not fresh(reading.at, now=now, every_s=READING_EVERY_S):
            at = None if reading is None else reading.at
            return ReadingRow(
                device=row.device,
                device_class=row.device_class,
                state=UNKNOWN,
                source="" if reading is None else reading.source,
                at=at,
                age_s=_age(at, now),
            )
        return ReadingRow(
            device=row.device,
            device_class=row.device_class,
            state=reading.state,
            source=reading.source,
            at=reading.at,
            age_s=now - reading.at,
            utilisation=reading.utilisation,
            memory=reading.memory,
            memory_total_mib=reading.memory_total_mib,
            temperature_c=reading.temperature_c,
            power_w=reading.power_w,
            sample=reading.sample,
        )

    def _device(self, row: DeviceRow, now: float) -> DeviceState:
        canary = self._canaries.states.get(row.device)
        judged_at = None if canary is None else canary.judged_at
        healthy = self._monitor.healthy(row.device)
        known = healthy is not None and fresh(judged_at, now=now, every_s=CANARY_EVERY_S)
        verdict = None if canary is None else canary.verdict
        load = next(
            (
                load
                for sample in self._window.fresh_samples(now)
                for load in sample.devices
                if load.device == row.device
            ),
            None,
        )
        return DeviceState(
            device=row.device,
            device_class=row.device_class,
            executor=row.executor,
            pool_state=row.state,
            reading=self._reading(row, now),
            canary=("healthy" if healthy else "unhealthy") if known else UNKNOWN,
            canary_variant=verdict.variant if verdict else "",
            canary_detail=verdict.detail if verdict else "",
            canary_age_s=_age(judged_at, now),
            slots=load.slots if load else None,
            occupied=load.occupied if load else None,
        )

    def _pools(self, now: float) -> Iterator[PoolFigures]:
        samples = {sample.pool: sample for sample in self._window.fresh_samples(now)}
        complete = self._window.complete
        for name in sorted({*self._window.samples, *self._window.pools}):
            sample, pool = samples.get(name), self._window.pools.get(name)
            known = pool if complete else None
            yield PoolFigures(
                pool=name,
                queued=sample.queued if sample else None,
                granted=sample.granted if sample else None,
                latency_p95_s=known.p95_s(now) if known else None,
                stall_s=known.stall_s(now) if known else None,
                error_rate=known.error_rate(now) if known else None,
                ended=known.ended_count(now) if known else None,
            )

    def _inputs(self, now: float) -> Iterator[InputAge]:
        yield _input("devices", self._devices.heard_at, now, LIST_EVERY_S)
        yield _input("feed", self._window.progress.complete_at, now, POOL_EVERY_S)
        for name, sample in sorted(self._window.samples.items()):
            yield _input(f"pool {name}", sample.at, now, POOL_EVERY_S)
        census = self._readings.census
        yield InputAge(name="nvml", state=_OFF if census.absent else _FRESH, detail=census.absent)
        if not self._engines.configured:
            yield InputAge(name="triton metrics", state=_OFF, detail="no address is set")
        for device, engine in sorted(self._readings.engine_readings.items()):
            yield InputAge(
                name=f"triton metrics {device}",
                state=UNKNOWN if engine.problem else _FRESH,
                detail=engine.problem,
            )


def _input(name: str, at: float | None, now: float, every_s: float) -> InputAge:
    return InputAge(name=name, state=_state(at, now, every_s), age_s=_age(at, now))


def _state(at: float | None, now: float, every_s: float) -> str:
    return _FRESH if fresh(at, now=now, every_s=every_s) else UNKNOWN


def _age(at: float | None, now: float) -> float | None:
    return None if at is None else now - at
