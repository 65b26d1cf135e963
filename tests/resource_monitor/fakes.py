"""The resource monitor's world in memory."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

import msgspec

from pointsman.contracts import events
from pointsman.contracts.canaries import CanaryAnswer, CanaryAnswered, RunCanary
from pointsman.contracts.events import Decision
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.queries import DeviceRow
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.resource_monitor import FamilyTasks, VariantQuality
from pointsman.contracts.telemetry import DeviceReading, PoolSample
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import NewEvent
from pointsman.resource_monitor.domain.measuring import (
    EngineReading,
    Figures,
    GpuCensus,
    GpuReading,
)
from pointsman.resource_monitor.ports import OpenTask, RatedVariant
from tests.support.task_events import PAYLOAD, RESULT

CODEC = EventCodec()
IDLE = Figures(utilisation=0.0, memory=0.2, memory_total_mib=16_384.0)
GPU_A = GpuReading("GPU-a", Figures(0.5, 0.5, 81_920.0, 55.0, 300.0))
GPU_B = GpuReading("GPU-b", Figures(0.1, 0.1, 81_920.0, 40.0, 100.0))


def device(
    name: str = "cpu-0",
    device_class: str = "cpu",
    *,
    state: str = "ready",
    variants: tuple[str, ...] = ("identity",),
) -> DeviceRow:
    return DeviceRow(
        device=name,
        device_class=device_class,
        endpoint="grpc://127.0.0.1:8001",
        executor="executor-1",
        state=state,
        reason="",
        slots=2,
        in_flight=0,
        suspect=0,
        variants=variants,
    )


class FakeHost:
    """Implements `ports.Host`."""

    def __init__(self, figures: Figures = IDLE) -> None:
        self.figures = figures
        self.addresses = frozenset({"localhost", "127.0.0.1"})

    def read(self) -> Figures:
        return self.figures


class FakeGpus:
    """Implements `ports.Gpus`: GPUs can be lost, and the driver can be missing."""

    def __init__(self, *gpus: GpuReading, absent: str = "") -> None:
        self.gpus = list(gpus)
        self.absent = absent

    async def read(self) -> GpuCensus:
        return GpuCensus(tuple(self.gpus), self.absent if not self.gpus else "")

    def lose(self, index: int = 0) -> None:
        self.gpus[index] = GpuReading(self.gpus[index].uuid, None)


class FakeEngines:
    """Implements `ports.Engines`."""

    def __init__(self, readings: Mapping[str, EngineReading] | None = None) -> None:
        self.readings = dict(readings or {})

    @property
    def configured(self) -> bool:
        return bool(self.readings)

    async def read(self) -> Mapping[str, EngineReading]:
        return self.readings


class FakePoolDevices:
    """Implements `ports.PoolDevices`."""

    def __init__(self, *rows: DeviceRow) -> None:
        self.rows: tuple[DeviceRow, ...] | None = rows

    async def devices(self) -> Sequence[DeviceRow] | None:
        return self.rows


class FakeExecutors:
    """Implements `ports.Executors`: gives every payload back unless it is told an answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, RunCanary]] = []
        self.answers: list[CanaryAnswer | None] = []

    async def run(self, executor: str, canary: RunCanary) -> CanaryAnswer | None:
        self.asked.append((executor, canary))
        if self.answers:
            return self.answers.pop(0)
        return CanaryAnswered(output=canary.payload, run_s=0.01)


class MemoryReadings:
    """Implements `ports.Readings`."""

    def __init__(self) -> None:
        self.published: list[DeviceReading] = []

    async def publish(self, reading: DeviceReading) -> None:
        self.published.append(reading)


class MemoryTaskView:
    """Implements `ports.TaskView` with what it is given."""

    def __init__(
        self, families: Sequence[FamilyTasks] = (), quality: Sequence[VariantQuality] = ()
    ) -> None:
        self._families = families
        self._quality = quality

    async def open_tasks(self) -> Sequence[OpenTask]:
        return []

    async def recent_quality(self) -> Sequence[RatedVariant]:
        return []

    async def families(self) -> Sequence[FamilyTasks]:
        return self._families

    async def quality(self) -> Sequence[VariantQuality]:
        return self._quality


class FeedLog:
    """Events as a feed delivers them, at times of one's own."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []

    def add(self, at: float, event: Decision, stream: UUID | None = None) -> UUID:
        stream = stream or uuid4()
        self.events.append(
            Recorded(
                position=len(self.events) + 1,
                id=uuid4(),
                stream=stream,
                version=1,
                type=CODEC.topic(event),
                time_us=round(at * 1_000_000),
                data=msgspec.Raw(CODEC.encode(event)),
            )
        )
        return stream

    def task(
        self,
        accepted_at: float,
        ended_at: float | None = None,
        *,
        priority_class: PriorityClass = PriorityClass.STANDARD,
        family: str = "summarize",
        failed: bool = False,
    ) -> UUID:
        """A task's life; its end stands in the log right behind its beginning."""
        task = self.add(accepted_at, accepted(family, priority_class))
        if ended_at is not None:
            self.add(ended_at, failure() if failed else completion(), task)
        return task


def accepted(
    family: str = "summarize", priority_class: PriorityClass = PriorityClass.STANDARD
) -> Decision:
    return events.TaskAccepted(
        at=0.0,
        applied_to=0,
        pool="main",
        tenant="acme",
        family=family,
        priority_class=priority_class,
        key=0.0,
        variants=("large",),
        payload=PAYLOAD,
        message_id="m-1",
        source="/tests",
    )


def completion() -> Decision:
    return events.TaskCompleted(
        at=0.0,
        applied_to=0,
        attempt=1,
        device="cpu-0",
        variant="large",
        result=RESULT,
        queue_s=0.0,
        run_s=0.0,
    )


def failure() -> Decision:
    return events.TaskFailed(at=0.0, applied_to=0, code="nan", message="NaN", attempts=3)


def rating(mean: float, *, ratings: int = 10, variant: str = "large") -> Decision:
    measured = events.MeasuredQuality(
        variant=variant, ratings=ratings, mean=mean, low=mean, high=mean
    )
    return events.QualityMeasured(at=0.0, applied_to=0, family="summarize", measured=measured)


def pool_sample(at: float, applied_to: int, *, queued: int = 0, granted: int = 0) -> PoolSample:
    return PoolSample(pool="main", at=at, applied_to=applied_to, queued=queued, granted=granted)


def as_new(stream: UUID, version: int, event: Decision) -> NewEvent:
    """An event to append."""
    return NewEvent(uuid4(), stream, version, CODEC.topic(event), CODEC.encode(event), event)
