"""The machine, its GPUs and the engines' metrics."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from pointsman.resource_monitor.adapters.host import PsutilHost
from pointsman.resource_monitor.adapters.nvml import NvmlGpus
from pointsman.resource_monitor.adapters.triton_metrics import TritonMetrics, engine_reading
from pointsman.resource_monitor.domain.measuring import Figures, GpuReading
from pointsman.resource_monitor.ports import Gpus
from pointsman.resource_monitor.settings import metrics_addresses
from tests.resource_monitor.fakes import GPU_A, GPU_B, FakeGpus
from tests.resource_monitor.gpus_contract import GpusContract
from tests.resource_monitor.nvml_census import read_soon

METRICS = """\
# HELP nv_inference_count Number of inferences performed
# TYPE nv_inference_count counter
nv_inference_count{model="identity",version="1"} 4
# HELP nv_gpu_utilization GPU utilization rate [0.0 - 1.0)
# TYPE nv_gpu_utilization gauge
nv_gpu_utilization{gpu_uuid="GPU-a"} 0.25
# TYPE nv_gpu_memory_total_bytes gauge
nv_gpu_memory_total_bytes{gpu_uuid="GPU-a"} 4294967296
# TYPE nv_gpu_memory_used_bytes gauge
nv_gpu_memory_used_bytes{gpu_uuid="GPU-a"} 1073741824
# TYPE nv_gpu_power_usage gauge
nv_gpu_power_usage{gpu_uuid="GPU-a"} 120.5
"""


class TestFakeGpus(GpusContract):
    @pytest.fixture
    def gpus(self) -> Gpus:
        return FakeGpus(GPU_A, GPU_B)


class TestNvmlOnThisMachine(GpusContract):
    @pytest.fixture
    async def gpus(self) -> AsyncGenerator[Gpus]:
        gpus = NvmlGpus()
        census = await read_soon(gpus)
        if not census.gpus:
            await gpus.close()
            pytest.skip(f"no GPU can be read here: {census.absent}")
        yield gpus
        await gpus.close()


def test_the_host_is_read() -> None:
    figures = PsutilHost().read()

    assert figures.utilisation is not None
    assert 0 <= figures.utilisation <= 1
    assert figures.memory is not None
    assert 0 < figures.memory < 1
    assert figures.temperature_c is None


def test_the_host_knows_its_own_addresses() -> None:
    addresses = PsutilHost().addresses

    assert {"localhost", "127.0.0.1", socket.gethostname()} <= addresses


def test_an_engines_metrics_tell_its_gpu() -> None:
    reading = engine_reading(METRICS)

    assert reading.gpus == (GpuReading("GPU-a", Figures(0.25, 0.25, 4096.0, None, 120.5)),)


async def test_metrics_are_fetched_from_each_address() -> None:
    async with http(METRICS) as address:
        engines = TritonMetrics({"gpu-0": address})

        reading = (await engines.read())["gpu-0"]

    assert [gpu.uuid for gpu in reading.gpus] == ["GPU-a"]
    assert reading.problem == ""


async def test_metrics_that_cannot_be_had_are_a_state() -> None:
    async with http("nv_gpu_utilization{gpu_uuid=") as garbled:
        addresses = {"gpu-0": "http://127.0.0.1:1/metrics", "gpu-1": garbled}

        readings = await TritonMetrics(addresses).read()

    assert all(reading.problem and not reading.gpus for reading in readings.values())


async def test_without_addresses_nothing_is_read() -> None:
    engines = TritonMetrics({})

    assert not engines.configured
    assert await engines.read() == {}


def test_addresses_are_given_by_device() -> None:
    text = "gpu-0=http://a:8002/metrics, gpu-1=https://b/metrics"

    assert metrics_addresses(text) == {
        "gpu-0": "http://a:8002/metrics",
        "gpu-1": "https://b/metrics",
    }


@pytest.mark.parametrize(
    "text", ["gpu-0", "=http://a", "gpu-0=file:///etc", "a=http://x,a=http://y"]
)
def test_an_address_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"device"):
        metrics_addresses(text)


@asynccontextmanager
async def http(body: str) -> AsyncGenerator[str]:
    """A server that gives the same answer to everybody."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/metrics"
