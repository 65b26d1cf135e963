"""The stand-in library: compiled once, told by a file what to answer."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("stand_in.c")
_LIBRARY: Final = "libnvidia-ml.so.1"
_FLAGS: Final = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC")


@dataclass
class StandInGpu:
    """One GPU that does not exist; `error` and `power_error` are NVML's return codes."""

    uuid: str
    error: int = 0
    utilisation_percent: int = 50
    used_mib: int = 1024
    total_mib: int = 4096
    temperature_c: int = 61
    power_mw: int = 250_000
    power_error: int = 0


@dataclass
class NvmlLibrary:
    """What the stand-in answers from the next `tell` on."""

    directory: Path
    gpus: list[StandInGpu] = field(default_factory=list[StandInGpu])
    driver_error: int = 0
    count_error: int = 0
    hangs: bool = False

    @property
    def environment(self) -> Mapping[str, str]:
        """This process's, so that a child finds the stand-in before any real library."""
        return {
            **os.environ,
            "LD_LIBRARY_PATH": str(self.directory),
            "NVML_STAND_IN": str(self._script),
        }

    @property
    def _script(self) -> Path:
        return self.directory / "machine.txt"

    def tell(self) -> None:
        """Let the library answer by the fields as they are now, also while it runs."""
        lines = [
            f"driver {self.driver_error}",
            f"count {self.count_error}",
            f"hang {int(self.hangs)}",
            *(
                f"gpu {gpu.uuid} {gpu.error} {gpu.utilisation_percent} {gpu.used_mib} "
                f"{gpu.total_mib} {gpu.temperature_c} {gpu.power_mw} {gpu.power_error}"
                for gpu in self.gpus
            ),
        ]
        # Renamed into place: the library may read it at any time.
        new = self._script.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.replace(self._script)


def compiler() -> str | None:
    """The path of a C compiler; without one nothing can stand in for the library."""
    return shutil.which("cc")


def nvml_library(directory: Path, gpus: Sequence[StandInGpu] = ()) -> NvmlLibrary:
    """Compile the stand-in into a directory of its own.

    Raises:
        FileNotFoundError: there is no C compiler; ask `compiler` before to skip.
        subprocess.CalledProcessError: it did not compile.
    """
    directory.mkdir(parents=True, exist_ok=True)
    compile_ = [compiler() or "cc", *_FLAGS, str(_SOURCE), "-o", str(directory / _LIBRARY)]
    subprocess.run(compile_, check=True, capture_output=True)
    library = NvmlLibrary(directory, list(gpus))
    library.tell()
    return library
