"""Looks at every watched value each second, and records alerts when their time has come."""

from collections import Counter
from collections.abc import Iterator

import structlog

from pointsman.contracts.events import AlertRaised
from pointsman.contracts.telemetry import READING_EVERY_S
from pointsman.resource_monitor import telemetry
from pointsman.resource_monitor.domain.alert_rules import (
    ERROR_RATE,
    GPU_MEMORY,
    QUALITY_DROP,
    RULE_OF,
    RULES,
    TASK_LATENCY,
)
from pointsman.resource_monitor.domain.alerting import Observation, Watch, decide, observe
from pointsman.resource_monitor.domain.freshness import fresh
from pointsman.resource_monitor.domain.measuring import GPU
from pointsman.resource_monitor.domain.monitor import Monitor
from pointsman.resource_monitor.watching.device_watch import DETACHED, DeviceList, DeviceWatch
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.resource_monitor.watching.recording import Recording
from pointsman.runtime.clock import Clock

_log = structlog.get_logger(__name__)


class AlertWatch:
    """A value that is too old is unknown: it neither raises nor clears."""

    def __init__(
        self,
        devices: DeviceList,
        readings: DeviceWatch,
        window: FeedWindow,
        monitor: Monitor,
        recording: Recording,
        clock: Clock,
    ) -> None:
        self._devices = devices
        self._readings = readings
        self._window = window
        self._monitor = monitor
        self._recording = recording
        self._clock = clock

    async def look(self) -> None:
        """One look at everything that has a rule."""
        now = self._clock.wall()
        observed = {
            (alert, seen.subject): seen
            for alert, found in (
                (GPU_MEMORY, self._gpu_memory(now)),
                (TASK_LATENCY, self._latency(now)),
                (ERROR_RATE, self._error_rate(now)),
                (QUALITY_DROP, self._quality_drop(now)),
            )
            for seen in found
        }
        for (alert, subject), seen in observed.items():
            await self._follow(alert, subject, seen, now)
        standing = Counter(alert for alert, _ in self._monitor.standing)
        for rule in RULES:
            telemetry.ALERTS_STANDING.set(standing[rule.alert], {"alert": rule.alert})

    async def _follow(self, alert: str, subject: str, seen: Observation, now: float) -> None:
        rule, key = RULE_OF[alert], (alert, subject)
        watch = observe(self._monitor.watches.get(key, Watch()), rule, seen.value, now=now)
        self._monitor.watches[key] = watch
        event = decide(watch, rule, seen, now=now, applied_to=self._window.progress.position)
        if event is None:
            return
        raised = isinstance(event, AlertRaised)
        change, begun = ("raised", event.since) if raised else ("cleared", event.raised_at)
        once = f"alert/{alert}/{subject}/{change}/{begun!r}"
        if await self._recording.record("alert", f"{alert}/{subject}", event, once=once):
            telemetry.ALERTS.add(1, {"alert": alert, "change": change})
            _log.warning(f"alert_{change}", alert=alert, subject=subject, value=event.value)

    def _gpu_memory(self, now: float) -> Iterator[Observation]:
        for row in self._devices.rows:
            reading = self._readings.readings.get(row.device)
            if row.device_class != GPU or reading is None:
                continue
            known = fresh(reading.at, now=now, every_s=READING_EVERY_S)
            samples = (reading.sample,) if reading.sample else ()
            gone = "the device is detached" if row.state == DETACHED else ""
            value = reading.memory if known and not gone else None
            yield Observation(row.device, value, samples, gone)

    def _latency(self, now: float) -> Iterator[Observation]:
        complete = self._window.complete
        for name, pool in self._window.pools.items():
            yield Observation(name, pool.latency_s(now) if complete else None)

    def _error_rate(self, now: float) -> Iterator[Observation]:
        complete = self._window.complete
        for name, pool in self._window.pools.items():
            yield Observation(name, pool.error_rate(now) if complete else None)

    def _quality_drop(self, now: float) -> Iterator[Observation]:
        complete = self._window.complete
        for family, drop in self._window.quality.drops(now).items():
            yield Observation(family, drop if complete else None)
