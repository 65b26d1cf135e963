"""Triton's metrics over HTTP, as far as they speak of its GPUs."""

import asyncio
import urllib.request
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from pointsman.resource_monitor.domain.measuring import EngineReading, Figures, GpuReading

_TIMEOUT_S: Final = 1.0
_MAX_BYTES: Final = 4 * 1024 * 1024
_MIB: Final = 1024 * 1024
# A server with many models writes hundreds of lines a second that nobody here reads.
_PREFIX: Final = "nv_gpu_"
_UUID: Final = "gpu_uuid"


class TritonMetrics:
    """Implements `ports.Engines`; `addresses` by device."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)

    @property
    def configured(self) -> bool:
        return bool(self._addresses)

    async def read(self) -> Mapping[str, EngineReading]:
        readings = await asyncio.gather(
            *(asyncio.to_thread(_fetch, address) for address in self._addresses.values())
        )
        return dict(zip(self._addresses, readings, strict=True))


def engine_reading(text: str) -> EngineReading:
    """Raises `ValueError` for what is not the Prometheus text format."""
    lines = "\n".join(line for line in text.splitlines() if line.startswith(_PREFIX)) + "\n"
    values: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(lines):
        for sample in family.samples:
            if _UUID in sample.labels:
                values[sample.labels[_UUID]][sample.name] = sample.value
    return EngineReading(tuple(GpuReading(uuid, _figures(each)) for uuid, each in values.items()))


def _figures(values: Mapping[str, float]) -> Figures:
    total = values.get("nv_gpu_memory_total_bytes")
    used = values.get("nv_gpu_memory_used_bytes")
    return Figures(
        utilisation=values.get("nv_gpu_utilization"),
        memory=used / total if used is not None and total else None,
        memory_total_mib=total / _MIB if total else None,
        power_w=values.get("nv_gpu_power_usage"),
    )


def _fetch(address: str) -> EngineReading:
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - settings allow HTTP only
            text = answer.read(_MAX_BYTES).decode()
        return engine_reading(text)
    except (OSError, ValueError) as error:
        return EngineReading(problem=str(error) or type(error).__name__)
