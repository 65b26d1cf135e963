"""Which measurement speaks for which device."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pointsman.contracts.queries import DeviceRow

MEASURED: Final = "measured"
ABSENT: Final = "absent"
LOST: Final = "lost"

PSUTIL: Final = "psutil"
NVML: Final = "nvml"
TRITON: Final = "triton"
NO_SOURCE: Final = "none"

CPU: Final = "cpu"
GPU: Final = "gpu"


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are 0 to 1; None: not measured."""

    utilisation: float | None = None
    memory: float | None = None
    memory_total_mib: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None


NOTHING: Final = Figures()


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of one device; `state` as in `events.DeviceSampled`."""

    source: str
    state: str
    figures: Figures = NOTHING


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU of this machine; without figures it no longer answers."""

    uuid: str
    figures: Figures | None


@dataclass(frozen=True, slots=True)
class GpuCensus:
    """All GPUs of this machine in index order; `absent` says why there is none to read."""

    gpus: tuple[GpuReading, ...] = ()
    absent: str = ""


@dataclass(frozen=True, slots=True)
class EngineReading:
    """What an engine's own metrics say; `problem` says why they say nothing."""

    gpus: tuple[GpuReading, ...] = ()
    problem: str = ""


def is_here(endpoint: str, addresses: Collection[str]) -> bool:
    """Whether an engine's endpoint is one of this machine's addresses.

    A name that is none of them may be anywhere, so it is taken as another machine.
    """
    host = urlsplit(endpoint).hostname
    return host is not None and host in addresses


def gpu_of(
    devices: Sequence[DeviceRow],
    census: GpuCensus,
    engines: Mapping[str, EngineReading],
    addresses: Collection[str],
) -> dict[str, str]:
    """UUIDs of GPU devices: as the engine names its only GPU, others here in index order.

    With fewer GPUs than devices nobody knows which one is missing, so none is taken for another.
    """
    rows = [row for row in devices if row.device_class == GPU]
    found = {
        row.device: engine.gpus[0].uuid
        for row in rows
        if (engine := engines.get(row.device)) is not None and len(engine.gpus) == 1
    }
    unnamed = sorted(
        row.device for row in rows if row.device not in found and is_here(row.endpoint, addresses)
    )
    left = [gpu.uuid for gpu in census.gpus if gpu.uuid not in found.values()]
    if len(left) >= len(unnamed):
        found |= dict(zip(unnamed, left, strict=False))
    return found


def measure(
    row: DeviceRow,
    *,
    host: Figures | None,
    census: GpuCensus,
    engine: EngineReading | None,
    uuid: str | None,
    before: str,
) -> Measured:
    """`before` is the state in the device's latest sample, empty without one.

    `host` are the figures of the device's machine; None: it is another one than ours.
    """
    if row.device_class == CPU and host is not None:
        return Measured(PSUTIL, MEASURED, host)
    if row.device_class != GPU:
        return Measured(NO_SOURCE, ABSENT)
    for source, gpus in ((NVML, census.gpus), (TRITON, engine.gpus if engine else ())):
        for gpu in gpus:
            if gpu.uuid == uuid:
                state = LOST if gpu.figures is None else MEASURED
                return Measured(source, state, gpu.figures or NOTHING)
    return Measured(NVML, LOST if before in {MEASURED, LOST} else ABSENT)
