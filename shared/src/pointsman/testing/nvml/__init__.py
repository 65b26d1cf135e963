"""GPUs that are made up: a C library with NVML's ABI, which NVIDIA's own bindings run against."""

from pointsman.testing.nvml.library import NvmlLibrary, StandInGpu, compiler, nvml_library

__all__ = ["NvmlLibrary", "StandInGpu", "compiler", "nvml_library"]
