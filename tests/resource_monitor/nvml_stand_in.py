"""A module with the functions of `pynvml`, over GPUs that can fail."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from types import ModuleType, SimpleNamespace

import pynvml

NvmlError: type[Exception] = pynvml.NVMLError


@dataclass
class StandInGpu:
    uuid: str
    error: int = 0
    """Raised by everything that is asked about it."""
    power_error: int = 0


class NvmlStandIn(ModuleType):
    """`init_error` is raised by `nvmlInit`; while `hangs`, counting does not return."""

    NVMLError = NvmlError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, *gpus: StandInGpu, init_error: int = 0) -> None:
        super().__init__("pynvml")
        self.gpus = list(gpus)
        self.init_error = init_error
        self.count_error = 0
        self.inits = 0
        self.free = threading.Event()
        self.free.set()
        answers: dict[str, Callable[..., object]] = {
            "nvmlInit": self.init,
            "nvmlDeviceGetCount": self.count,
            "nvmlDeviceGetHandleByIndex": self.handle,
            "nvmlDeviceGetUUID": attrgetter("uuid"),
            "nvmlDeviceGetUtilizationRates": self.rates,
            "nvmlDeviceGetMemoryInfo": self.memory,
            "nvmlDeviceGetTemperature": self.temperature,
            "nvmlDeviceGetPowerUsage": self.power,
        }
        for name, answer in answers.items():
            setattr(self, name, answer)

    def init(self) -> None:
        self.inits += 1
        _fail(self.init_error)

    def count(self) -> int:
        self.free.wait()
        _fail(self.count_error)
        return len(self.gpus)

    def handle(self, index: int) -> StandInGpu:
        _fail(self.gpus[index].error)
        return self.gpus[index]

    def rates(self, _gpu: StandInGpu) -> SimpleNamespace:
        return SimpleNamespace(gpu=50)

    def memory(self, _gpu: StandInGpu) -> SimpleNamespace:
        return SimpleNamespace(used=2**30, total=2**32)

    def temperature(self, _gpu: StandInGpu, _sensor: int) -> int:
        return 61

    def power(self, gpu: StandInGpu) -> int:
        _fail(gpu.power_error)
        return 250_000


def _fail(error: int) -> None:
    if error:
        raise NvmlError(error)
