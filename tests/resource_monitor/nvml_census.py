"""Reading GPUs through a process that takes a moment to start."""

from pointsman.resource_monitor.domain.measuring import GpuCensus
from pointsman.resource_monitor.ports import Gpus
from pointsman.testing.waiting import wait_until

SILENT = "the driver does not answer"


async def read_soon(gpus: Gpus) -> GpuCensus:
    """The first answer."""
    found: list[GpuCensus] = []

    async def answered() -> bool:
        found.append(await gpus.read())
        return found[-1].absent != SILENT

    await wait_until(answered, timeout_s=30)
    return found[-1]
