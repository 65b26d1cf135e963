"""A module with the functions of `pynvml` that are asked before any GPU is: it has none."""

from types import ModuleType

import pynvml

NvmlError: type[Exception] = pynvml.NVMLError


class NvmlStandIn(ModuleType):
    """`init_error` is raised by `nvmlInit`."""

    NVMLError = NvmlError

    def __init__(self, *, init_error: int = 0) -> None:
        super().__init__("pynvml")
        self.init_error = init_error
        self.inits = 0
        self.nvmlInit = self.init
        self.nvmlDeviceGetCount = self.count

    def init(self) -> None:
        self.inits += 1
        if self.init_error:
            raise NvmlError(self.init_error)

    def count(self) -> int:
        return 0
