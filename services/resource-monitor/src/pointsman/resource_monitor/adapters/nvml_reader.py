"""What NVML says of this machine's GPUs, through its own bindings. Blocking, and may hang.

`python -m pointsman.resource_monitor.adapters.nvml_reader` reads once for each line on its standard
input and writes what it found as a line of JSON; its own first line says that it is there.
"""

import sys
import time
from collections.abc import Callable
from functools import cached_property
from types import ModuleType
from typing import Final, Protocol, TypeVar

import msgspec

from pointsman.resource_monitor.domain.measuring import Figures

READY: Final = b"ready\n"

# A driver that is being loaded takes seconds; looking for the library each second helps nobody.
_AGAIN_S: Final = 10.0
_MIB: Final = 1024 * 1024
_PERCENT: Final = 100.0
_MILLIWATTS: Final = 1000.0
# What a GPU cannot tell about itself says nothing about its health: not supported, no permission,
# no such function in the driver, no data. The numbers are NVML's and part of its ABI.
_UNTOLD: Final = frozenset({3, 4, 13, 21})

T = TypeVar("T")


class NvmlAnswer(msgspec.Struct, frozen=True):
    """The GPUs that answered, by UUID, in the order of their indices."""

    gpus: dict[str, Figures] = {}
    absent: str = ""
    """Why there is none."""


def _bindings() -> ModuleType:
    # 15 MiB of generated code, which only a pool with GPUs needs.
    import pynvml  # noqa: PLC0415 - see above

    return pynvml


class NvmlReader:
    """`load` gives the module `pynvml`, or what has its functions."""

    def __init__(
        self,
        load: Callable[[], ModuleType] = _bindings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._monotonic = monotonic
        self._initialised = False
        self._again_at = float("-inf")
        self._reason = ""

    def read(self) -> NvmlAnswer:
        """Ask every GPU; a GPU that fails is left out."""
        try:
            if not self._initialised and not self._initialise():
                return NvmlAnswer(absent=self._reason)
            count: int = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            self._initialised, self._reason = False, str(error)
            return NvmlAnswer(absent=self._reason)
        found: dict[str, Figures] = {}
        for index in range(count):
            try:
                handle: object = self._nvml.nvmlDeviceGetHandleByIndex(index)
                # Indices shift when a GPU before it is lost: only the UUID says which one it is.
                uuid = str(self._nvml.nvmlDeviceGetUUID(handle))
                found[uuid] = self._figures(handle)
            except self._nvml.NVMLError:
                # Which one it was is seen by who is missing.
                continue
        return NvmlAnswer(found, "" if found else "the driver knows no GPU that answers")

    @cached_property
    def _nvml(self) -> ModuleType:
        return self._load()

    def _initialise(self) -> bool:
        if self._monotonic() < self._again_at:
            return False
        self._again_at = self._monotonic() + _AGAIN_S
        self._nvml.nvmlInit()
        self._initialised = True
        return True

    def _figures(self, handle: object) -> Figures:
        nvml = self._nvml
        busy = self._told(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu))
        memory = self._told(lambda: _memory(nvml.nvmlDeviceGetMemoryInfo(handle)))
        degrees = self._told(
            lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
        )
        power = self._told(lambda: float(nvml.nvmlDeviceGetPowerUsage(handle)))
        return Figures(
            utilisation=None if busy is None else busy / _PERCENT,
            memory=memory[0] / memory[1] if memory and memory[1] else None,
            memory_total_mib=memory[1] if memory else None,
            temperature_c=degrees,
            power_w=None if power is None else power / _MILLIWATTS,
        )

    def _told(self, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except self._nvml.NVMLError as error:
            if error.value in _UNTOLD:
                return None
            raise


class _Memory(Protocol):
    """NVML's own structure; bytes."""

    used: int
    total: int


def _memory(info: _Memory) -> tuple[float, float]:
    """Used and total, in MiB."""
    return info.used / _MIB, info.total / _MIB


def main() -> None:
    """Answer until standard input ends, which it does with the process that asks."""
    reader, out = NvmlReader(), sys.stdout.buffer
    out.write(READY)
    out.flush()
    for _ in sys.stdin.buffer:
        out.write(msgspec.json.encode(reader.read()) + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
