"""Which measurement speaks for which device."""

import msgspec
import pytest

from pointsman.contracts.queries import DeviceRow
from pointsman.resource_monitor.domain.measuring import (
    EngineReading,
    GpuCensus,
    GpuReading,
    Measured,
    gpu_of,
    is_here,
    measure,
)
from tests.resource_monitor.fakes import GPU_A, GPU_B, IDLE, device

HERE = frozenset({"localhost", "127.0.0.1"})
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
    assert gpu_of(GPUS, GpuCensus((GPU_A, GPU_B)), {}, HERE) == {"gpu-0": "GPU-a", "gpu-1": "GPU-b"}


def test_an_engine_that_names_its_only_gpu_knows_better() -> None:
    engines = {"gpu-0": EngineReading((GPU_B,))}

    found = gpu_of(GPUS, GpuCensus((GPU_A, GPU_B)), engines, HERE)

    assert found == {"gpu-0": "GPU-b", "gpu-1": "GPU-a"}


def test_an_engine_that_sees_several_gpus_says_nothing_about_its_own() -> None:
    engines = {"gpu-0": EngineReading((GPU_B, GPU_A))}

    assert gpu_of(GPUS[:1], GpuCensus((GPU_A, GPU_B)), engines, HERE) == {"gpu-0": "GPU-a"}


def test_with_a_gpu_missing_no_device_is_taken_for_another() -> None:
    assert gpu_of(GPUS, GpuCensus((GPU_B,)), {}, HERE) == {}


def test_gpus_of_this_machine_are_not_given_to_devices_of_another() -> None:
    there = msgspec.structs.replace(GPUS[0], endpoint="grpc://10.0.0.7:8001")

    found = gpu_of((there, GPUS[1]), GpuCensus((GPU_A, GPU_B)), {}, HERE)

    assert found == {"gpu-1": "GPU-a"}


@pytest.mark.parametrize(
    ("endpoint", "here"),
    [
        ("grpc://127.0.0.1:8001", True),
        ("grpc://localhost:8001", True),
        ("grpc://10.0.0.7:8001", False),
        ("grpc://triton:8001", False),
        ("noop:", False),
        ("", False),
    ],
)
def test_an_endpoint_is_here_if_it_names_an_address_of_this_machine(
    endpoint: str,
    here: bool,
) -> None:
    assert is_here(endpoint, HERE) is here


def test_a_cpu_device_is_measured_by_its_host() -> None:
    assert measured(device(), GpuCensus()) == Measured("psutil", "measured", IDLE)


def test_a_cpu_device_of_another_machine_does_not_claim_the_figures_of_this_one() -> None:
    found = measure(device(), host=None, census=GpuCensus(), engine=None, uuid=None, before="")

    assert found == Measured("none", "absent")


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
