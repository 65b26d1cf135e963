"""Reads every device each second: publishes the reading, records what changed by a step."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from uuid_utils.compat import uuid7

from pointsman.contracts.queries import DeviceRow
from pointsman.contracts.telemetry import DeviceReading
from pointsman.resource_monitor import telemetry
from pointsman.resource_monitor.domain.measuring import (
    CPU,
    EngineReading,
    GpuCensus,
    Measured,
    gpu_of,
    is_here,
    measure,
)
from pointsman.resource_monitor.domain.monitor import Monitor
from pointsman.resource_monitor.domain.sampling import sample
from pointsman.resource_monitor.ports import Engines, Gpus, Host, PoolDevices, Readings
from pointsman.resource_monitor.watching.recording import Recording
from pointsman.runtime.clock import Clock

LIST_EVERY_S: Final = 2.0
"""How often the scheduler is asked for its devices."""

DETACHED: Final = "detached"
_STATES: Final = ("measured", "absent", "lost")

_log = structlog.get_logger(__name__)


class DeviceList:
    """The pool's devices as last heard of."""

    def __init__(self, pool: PoolDevices, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self.rows: tuple[DeviceRow, ...] = ()
        self.heard_at: float | None = None
        self._silent = False

    @property
    def attached(self) -> tuple[DeviceRow, ...]:
        """Devices that some executor speaks for."""
        return tuple(row for row in self.rows if row.state != DETACHED)

    async def ask(self) -> None:
        """An answer that does not come leaves the list as it was."""
        rows = await self._pool.devices()
        if rows is None:
            if not self._silent:
                self._silent = True
                _log.warning("devices_awaited", detail="the scheduler does not answer")
            return
        self._silent = False
        self.rows, self.heard_at = tuple(rows), self._clock.wall()


class DeviceWatch:
    """The latest readings, and when they become events."""

    def __init__(
        self,
        devices: DeviceList,
        host: Host,
        gpus: Gpus,
        engines: Engines,
        readings: Readings,
        monitor: Monitor,
        recording: Recording,
        clock: Clock,
    ) -> None:
        self._devices = devices
        self._host = host
        self._gpus = gpus
        self._engines = engines
        self._out = readings
        self._monitor = monitor
        self._recording = recording
        self._clock = clock
        self.readings: dict[str, DeviceReading] = {}
        self.census = GpuCensus(absent="no GPU device is attached")
        self.engine_readings: Mapping[str, EngineReading] = {}

    async def read(self) -> None:
        """Read and publish every device."""
        rows = self._devices.attached
        self.census, self.engine_readings = await asyncio.gather(
            self._read_gpus(rows), self._engines.read()
        )
        host, at = self._host.read(), self._clock.wall()
        addresses = self._host.addresses
        uuids = gpu_of(rows, self.census, self.engine_readings, addresses)
        for row in rows:
            last = self._monitor.samples.get(row.device)
            measured = measure(
                row,
                host=host if is_here(row.endpoint, addresses) else None,
                census=self.census,
                engine=self.engine_readings.get(row.device),
                uuid=uuids.get(row.device),
                before=last.state if last else "",
            )
            reading = _reading(row.device, measured, at, last.sample if last else "")
            self.readings[row.device] = reading
            _show(row, reading)
            await self._out.publish(reading)

    async def record(self) -> None:
        """Record what changed since the latest sample of each device."""
        for row in self._devices.attached:
            reading = self.readings.get(row.device)
            if reading is None:
                continue
            event = sample(
                reading,
                self._monitor.samples.get(row.device),
                id=str(uuid7()),
                now=self._clock.wall(),
                applied_to=self._recording.position,
            )
            if event is not None and await self._recording.record("sample", row.device, event):
                telemetry.SAMPLES.add(1, {"hw.id": row.device})

    async def _read_gpus(self, rows: Sequence[DeviceRow]) -> GpuCensus:
        # A machine without GPU devices need not be asked for a driver every second.
        if all(row.device_class != "gpu" for row in rows):
            return GpuCensus(absent="no GPU device is attached")
        return await self._gpus.read()


def _reading(device: str, measured: Measured, at: float, sample_id: str) -> DeviceReading:
    figures = measured.figures
    return DeviceReading(
        device=device,
        at=at,
        source=measured.source,
        state=measured.state,
        utilisation=figures.utilisation,
        memory=figures.memory,
        memory_total_mib=figures.memory_total_mib,
        temperature_c=figures.temperature_c,
        power_w=figures.power_w,
        sample=sample_id,
    )


def _show(row: DeviceRow, reading: DeviceReading) -> None:
    attributes = {"hw.id": row.device, "hw.type": row.device_class}
    host = row.device_class == CPU
    shown = (
        (telemetry.HOST_UTILISATION if host else telemetry.GPU_UTILISATION, reading.utilisation),
        (telemetry.HOST_MEMORY if host else telemetry.GPU_MEMORY, reading.memory),
        (telemetry.TEMPERATURE, reading.temperature_c),
        (telemetry.POWER, reading.power_w),
    )
    for gauge, value in shown:
        if value is not None:
            gauge.set(value, attributes)
    for state in _STATES:
        telemetry.STATUS.set(int(reading.state == state), {**attributes, "hw.state": state})
