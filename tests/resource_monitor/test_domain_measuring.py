"""Which measurement speaks for which device."""

import pytest

from pointsman.contracts.queries import DeviceRow
from pointsman.resource_monitor.domain.measuring import (
    EngineReading,
    GpuCensus,
    GpuReading,
    Measured,
    gpu_of,
    measure,
)
from tests.resource_monitor.fakes import GPU_A, GPU_B, IDLE, device

GPUS = (device("gpu-0", "gpu"), device("gpu-1", "gpu"), device("cpu-0"))


def measured(
    row: DeviceRow,
    census: GpuCensus,
    *,
    engine: EngineReading | None = None,
    uuid: str | None = None,
    before: str = "",
) -> Measured:
    return measure(row, host=IDLE, census=census, engine=engine, uuid=uuid, before=before)


def test_gpus_are_given_to_devices_in_index_order() -> None:
    assert gpu_of(GPUS, GpuCensus((GPU_A, GPU_B)), {}) == {"gpu-0": "GPU-a", "gpu-1": "GPU-b"}


def test_an_engine_that_names_its_only_gpu_knows_better() -> None:
    engines = {"gpu-0": EngineReading((GPU_B,))}

    found = gpu_of(GPUS, GpuCensus((GPU_A, GPU_B)), engines)

    assert found == {"gpu-0": "GPU-b", "gpu-1": "GPU-a"}


def test_an_engine_that_sees_several_gpus_says_nothing_about_its_own() -> None:
    engines = {"gpu-0": EngineReading((GPU_B, GPU_A))}

    assert gpu_of(GPUS[:1], GpuCensus((GPU_A, GPU_B)), engines) == {"gpu-0": "GPU-a"}


def test_a_cpu_device_is_measured_by_its_host() -> None:
    assert measured(device(), GpuCensus()) == Measured("psutil", "measured", IDLE)


def test_a_gpu_is_measured_by_nvml() -> None:
    found = measured(GPUS[0], GpuCensus((GPU_A,)), uuid="GPU-a")

    assert found == Measured("nvml", "measured", GPU_A.figures or IDLE)


def test_a_gpu_of_another_machine_is_measured_by_its_engine() -> None:
    found = measured(GPUS[0], GpuCensus((GPU_A,)), engine=EngineReading((GPU_B,)), uuid="GPU-b")

    assert found == Measured("triton", "measured", GPU_B.figures or IDLE)


@pytest.mark.parametrize(
    ("before", "state"), [("", "absent"), ("absent", "absent"), ("measured", "lost"), ("lost",) * 2]
)
def test_without_a_driver_a_gpu_is_absent_or_lost_if_it_was_measured_before(
    before: str, state: str
) -> None:
    found = measured(GPUS[0], GpuCensus(absent="no driver"), before=before)

    assert found == Measured("nvml", state)


def test_a_gpu_that_does_not_answer_is_lost() -> None:
    found = measured(GPUS[0], GpuCensus((GpuReading("GPU-a", None),)), uuid="GPU-a")

    assert found == Measured("nvml", "lost")


def test_nothing_measures_the_stand_in_that_runs_nothing() -> None:
    assert measured(device("noop-0", "noop"), GpuCensus()) == Measured("none", "absent")
