"""NVIDIA's own bindings in a process of their own, over GPUs that are made up."""

from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.resource_monitor.adapters.nvml import HANGS, NvmlGpus
from pointsman.resource_monitor.adapters.nvml_reader import NvmlReader
from pointsman.resource_monitor.domain.measuring import NOTHING, Figures, GpuReading
from pointsman.resource_monitor.domain.plausible import LIMITS, plausible
from pointsman.resource_monitor.ports import Gpus
from pointsman.testing.clock import FakeClock
from pointsman.testing.nvml import NvmlLibrary, StandInGpu, compiler, nvml_library
from pointsman.testing.waiting import wait_until
from tests.resource_monitor.gpus_contract import GpusContract
from tests.resource_monitor.nvml_census import read_soon
from tests.resource_monitor.nvml_stand_in import NvmlStandIn

FIGURES = Figures(0.5, 0.25, 4096.0, 61.0, 250.0)


@pytest.fixture
def library(tmp_path: Path) -> NvmlLibrary:
    """Two GPUs."""
    if compiler() is None:
        pytest.skip("no C compiler (cc): nothing can stand in for libnvidia-ml.so.1")
    return nvml_library(tmp_path / "nvml", [StandInGpu("GPU-a"), StandInGpu("GPU-b")])


@pytest.fixture
async def gpus(library: NvmlLibrary) -> AsyncGenerator[NvmlGpus]:
    gpus = NvmlGpus(library.environment)
    yield gpus
    await gpus.close()


class TestNvmlGpus(GpusContract):
    @pytest.fixture
    async def gpus(self, library: NvmlLibrary) -> AsyncGenerator[Gpus]:
        gpus = NvmlGpus(library.environment)
        await read_soon(gpus)
        yield gpus
        await gpus.close()


async def test_a_gpus_figures_are_read(gpus: NvmlGpus) -> None:
    census = await read_soon(gpus)

    assert census.gpus == (GpuReading("GPU-a", FIGURES), GpuReading("GPU-b", FIGURES))


async def test_what_a_gpu_cannot_tell_is_not_measured(gpus: NvmlGpus, library: NvmlLibrary) -> None:
    library.gpus[0].power_error = pynvml.NVML_ERROR_NOT_SUPPORTED
    library.tell()

    reading = (await read_soon(gpus)).gpus[0]

    assert reading.figures is not None
    assert (reading.figures.power_w, reading.figures.utilisation) == (None, 0.5)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "version mismatch"),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, "Driver Not Loaded"),
    ],
)
async def test_a_driver_that_refuses_is_a_state_with_its_reason(
    gpus: NvmlGpus, library: NvmlLibrary, error: int, reason: str
) -> None:
    library.driver_error = error
    library.tell()

    census = await read_soon(gpus)

    assert census.gpus == ()
    assert reason in census.absent


async def test_a_library_that_is_not_there_is_a_state(tmp_path: Path) -> None:
    gpus = NvmlGpus({"LD_LIBRARY_PATH": str(tmp_path)})

    census = await read_soon(gpus)
    await gpus.close()

    if census.gpus:
        pytest.skip("this machine has NVIDIA's own library")
    assert "Not Found" in census.absent or "Not Loaded" in census.absent


@pytest.mark.parametrize(
    "error", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_UNKNOWN, pynvml.NVML_ERROR_TIMEOUT]
)
async def test_a_gpu_that_stops_answering_is_lost_and_comes_back(
    gpus: NvmlGpus, library: NvmlLibrary, error: int
) -> None:
    await read_soon(gpus)

    library.gpus[0].error = error
    library.tell()
    lost = await gpus.read()
    library.gpus[0].error = 0
    library.tell()
    back = await gpus.read()

    assert lost.gpus == (GpuReading("GPU-a", None), GpuReading("GPU-b", FIGURES))
    assert back.gpus == (GpuReading("GPU-a", FIGURES), GpuReading("GPU-b", FIGURES))


async def test_a_gpu_keeps_its_name_when_the_one_before_it_falls_off_the_bus(
    gpus: NvmlGpus, library: NvmlLibrary
) -> None:
    library.gpus[1].temperature_c = 80
    library.tell()
    await read_soon(gpus)

    fallen = library.gpus.pop(0)
    library.tell()
    shifted = await gpus.read()
    library.gpus.append(fallen)
    library.tell()
    swapped = await gpus.read()

    assert [gpu.uuid for gpu in shifted.gpus] == ["GPU-a", "GPU-b"]
    assert shifted.gpus[0].figures is None
    assert [gpu.uuid for gpu in swapped.gpus] == ["GPU-a", "GPU-b"]
    for census in (shifted, swapped):
        assert census.gpus[1].figures is not None
        assert census.gpus[1].figures.temperature_c == 80


async def test_a_driver_that_goes_away_leaves_its_gpus_lost(
    gpus: NvmlGpus, library: NvmlLibrary
) -> None:
    await read_soon(gpus)

    library.count_error = pynvml.NVML_ERROR_UNINITIALIZED
    library.tell()

    assert (await gpus.read()).gpus == (GpuReading("GPU-a", None), GpuReading("GPU-b", None))


async def test_a_driver_that_hangs_is_asked_anew_and_three_times_is_lost(
    library: NvmlLibrary,
) -> None:
    gpus = NvmlGpus(library.environment, hang_s=0.3)
    await read_soon(gpus)
    seen: set[Figures | None] = set()

    async def lost() -> bool:
        seen.add((await gpus.read()).gpus[0].figures)
        return None in seen

    library.hangs = True
    library.tell()
    await wait_until(lost, timeout_s=60)
    library.hangs = False
    library.tell()

    async def back() -> bool:
        return (await gpus.read()).gpus[0].figures == FIGURES

    await wait_until(back, timeout_s=60)
    await gpus.close()
    # Before it was lost nothing was claimed of it.
    assert seen == {NOTHING, None}
    assert HANGS == 3


async def test_a_reading_process_that_dies_is_replaced(
    gpus: NvmlGpus, library: NvmlLibrary
) -> None:
    await read_soon(gpus)
    (process,) = [
        child
        for child in psutil.Process().children()
        if str(library.directory) == child.environ().get("LD_LIBRARY_PATH")
    ]

    process.kill()
    process.wait()
    after = await gpus.read()

    async def reads_again() -> bool:
        first, *_ = (await read_soon(gpus)).gpus
        return first.figures == FIGURES

    assert all(gpu.figures is None for gpu in after.gpus)
    await wait_until(reads_again)


async def test_figures_that_cannot_be_true_are_dropped(
    gpus: NvmlGpus, library: NvmlLibrary
) -> None:
    library.gpus[0].utilisation_percent = 255
    library.gpus[0].temperature_c = 0
    # A minus one, as it comes out of a number without sign.
    library.gpus[1].power_mw = 2**32 - 1
    library.tell()

    first, second = (await read_soon(gpus)).gpus

    assert first.figures == Figures(None, 0.25, 4096.0, None, 250.0)
    assert second.figures == Figures(0.5, 0.25, 4096.0, 61.0, None)


NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@given(st.builds(Figures, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS))
def test_what_is_kept_is_within_the_limits(figures: Figures) -> None:
    kept, dropped = plausible(figures)

    for name, (least, most) in LIMITS.items():
        value = getattr(kept, name)
        assert value is None or least <= value <= most
        assert (name in dropped) is (value is None and getattr(figures, name) is not None)


def test_a_driver_that_is_missing_is_looked_for_every_ten_seconds() -> None:
    nvml = NvmlStandIn(init_error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    clock = FakeClock()
    reader = NvmlReader(lambda: nvml, monotonic=clock.monotonic)

    answers = [reader.read() for _ in range(3)]
    looked = nvml.inits
    nvml.init_error = 0
    clock.passes(10)
    reader.read()

    assert looked == 1
    assert all(answer.absent for answer in answers)
    assert nvml.inits == 2
