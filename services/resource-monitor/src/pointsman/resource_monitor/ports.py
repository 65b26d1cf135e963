"""What the resource monitor needs from the world."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from pointsman.contracts.canaries import CanaryAnswer, RunCanary
from pointsman.contracts.events import MeasuredQuality
from pointsman.contracts.queries import DeviceRow
from pointsman.contracts.resource_monitor import FamilyTasks, VariantQuality
from pointsman.contracts.telemetry import DeviceReading
from pointsman.resource_monitor.domain.measuring import EngineReading, Figures, GpuCensus


class Host(Protocol):
    """The machine that this process runs on."""

    @property
    def addresses(self) -> frozenset[str]:
        """Its names and addresses, as they may stand in the endpoint of an engine."""
        ...

    def read(self) -> Figures:
        """Processor share since the last call, and memory; returns at once."""
        ...


class Gpus(Protocol):
    """The GPUs of this machine."""

    async def read(self) -> GpuCensus:
        """Never raises and never waits for long.

        Without driver or GPU the census says why it is empty. A GPU that was read once stays in
        the census under its UUID; while it does not answer it has no figures. A driver that hangs
        has nothing to say of its GPUs; after three hangs in a row they have no figures.
        """
        ...


class Engines(Protocol):
    """The metrics of the engines behind devices."""

    @property
    def configured(self) -> bool:
        """Whether there is any address to ask."""
        ...

    async def read(self) -> Mapping[str, EngineReading]:
        """By device, for those with an address; never raises, takes about a second at most."""
        ...


class PoolDevices(Protocol):
    """The scheduler's list of devices."""

    async def devices(self) -> Sequence[DeviceRow] | None:
        """None: it did not answer."""
        ...


class Executors(Protocol):
    """The executors that run canaries."""

    async def run(self, executor: str, canary: RunCanary) -> CanaryAnswer | None:
        """None: the executor did not answer, which says nothing about its device."""
        ...


class Readings(Protocol):
    """Where readings are published; lossy."""

    async def publish(self, reading: DeviceReading) -> None: ...


class OpenTask(NamedTuple):
    """An accepted task without a terminal event."""

    task: UUID
    pool: str
    priority_class: str
    accepted_at: float


class RatedVariant(NamedTuple):
    """A measurement of quality that the window of the quality alert still needs."""

    family: str
    measured: MeasuredQuality
    at: float


class TaskView(Protocol):
    """Counts and qualities from the log, at most a moment behind the feed."""

    async def open_tasks(self) -> Sequence[OpenTask]:
        """In order of acceptance."""
        ...

    async def recent_quality(self) -> Sequence[RatedVariant]:
        """In log order."""
        ...

    async def families(self) -> Sequence[FamilyTasks]:
        """By name."""
        ...

    async def quality(self) -> Sequence[VariantQuality]:
        """The latest of each variant, by family and name."""
        ...
