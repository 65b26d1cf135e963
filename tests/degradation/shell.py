"""The service without a bus: its log in memory, its view in a file, its clock moved by the test."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    AttemptFailed,
    Candidate,
    Decision,
    DeviceAttached,
    Explanation,
    KeyComponents,
    ModelRegistered,
    Residency,
    TaskCompleted,
    TaskGranted,
)
from pointsman.contracts.message import BlobRef
from pointsman.contracts.telemetry import PoolSample
from pointsman.contracts.topics import EventCodec
from pointsman.degradation.adapters.sqlite_surroundings import SqliteSurroundings
from pointsman.degradation.climbing.climber import Climber
from pointsman.degradation.climbing.ladders import Ladders
from pointsman.degradation.climbing.overrides import Overrides
from pointsman.degradation.climbing.questions import Questions
from pointsman.degradation.domain.record import TOPICS, Record, Records
from pointsman.degradation.domain.rules import Rules
from pointsman.eventstore.event_sources import LogSource
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.own_events import OwnEvents
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_event_store import MemoryEventStore

CODEC = EventCodec()


@dataclass
class World:
    """What outlives the service."""

    data: Path
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    clock: FakeClock = field(default_factory=FakeClock)

    async def tell(self, stream: UUID, *events: Decision) -> None:
        """Another service records something."""
        after = len(await self.store.read_stream(stream))
        await Journal(self.store, CODEC).record(Decided(stream, after, events))

    async def decided(self) -> list[Decision]:
        """What this service has recorded, in order."""
        recorded = await self.store.read(0, topics=TOPICS, limit=10_000)
        return [CODEC.decode(each.type, bytes(each.data)) for each in recorded]

    async def models(self) -> None:
        """Two variants of one family, loaded on one device."""
        for variant, quality, memory_mib in (("large", 0.9, 800.0), ("small", 0.5, 100.0)):
            await self.tell(uuid4(), registered(variant, quality, memory_mib))
        await self.tell(uuid4(), attached("gpu-0", "large", "small"))

    async def fails(self, code: str, variant: str = "large", task: UUID | None = None) -> None:
        """An attempt of a task fails."""
        task = task or uuid4()
        await self.tell(task, granted(variant), attempt_failed(code, at=self.clock.wall()))


@dataclass
class Shell:
    """The parts of one life of the service."""

    world: World
    record: Record
    own: OwnEvents
    view: SqliteSurroundings
    climber: Climber
    """Of the pool that the service was started for."""
    ladders: Ladders
    overrides: Overrides
    questions: Questions

    async def follow(self) -> None:
        """Everything that is in the log is in the view."""
        head = await self.world.store.head()
        assert await self.view.caught_up(head, timeout_s=10)

    async def look(self) -> None:
        """What the loop does, with everything that is in the log."""
        await self.follow()
        await self.climber.look()

    async def hears(self, sample_of: PoolSample) -> None:
        """A sample arrives, and the ladder looks."""
        self.climber.sampled(sample_of)
        await self.look()


@asynccontextmanager
async def running(world: World, *, pool: str = "main") -> AsyncGenerator[Shell]:
    """One life of the service; its view follows the log, its loop is the test."""
    records, rules = Records(), Rules()
    own = OwnEvents(world.store, CODEC, TOPICS, records.evolve)
    await own.load()
    view = SqliteSurroundings(world.data)
    following = asyncio.ensure_future(view.run(LogSource(world.store)))
    ladders = Ladders(records, lambda record: Climber(record, own, view, rules, world.clock))
    climber = ladders.open(pool)
    overrides = Overrides(ladders, world.clock)
    questions = Questions(ladders, rules, world.clock)
    try:
        yield Shell(world, climber.record, own, view, climber, ladders, overrides, questions)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await view.close()
        own.close()


def registered(variant: str, quality: float, memory_mib: float) -> ModelRegistered:
    return ModelRegistered(
        at=1.0,
        applied_to=0,
        variant=variant,
        family="summarize",
        quality=quality,
        memory_mib=memory_mib,
        load_s=1.0,
        slots=4,
        service_s=0.1,
        service_p99_s=0.2,
        media_type="text/plain",
    )


def attached(device: str, *variants: str, pool: str = "main") -> DeviceAttached:
    return DeviceAttached(
        at=1.0,
        applied_to=0,
        pool=pool,
        device=device,
        executor="executor-1",
        incarnation="first",
        endpoint="noop:",
        device_class="gpu",
        slots=4,
        residency=tuple(Residency(variant=variant, slots=4) for variant in variants),
    )


def granted(variant: str, device: str = "gpu-0") -> TaskGranted:
    return TaskGranted(
        at=1.0,
        applied_to=0,
        attempt=1,
        round=0,
        executor="executor-1",
        incarnation="first",
        device=device,
        variant=variant,
        run_timeout_s=1.0,
        explanation=Explanation(
            queued=1,
            rank=1,
            components=KeyComponents(base_s=30.0, boost_s=0.0),
            chosen=Candidate(
                device=device, variant=variant, score=1.0, memory=1.0, utilisation=1.0
            ),
        ),
    )


def attempt_failed(code: str, *, at: float = 1.0, device: str = "gpu-0") -> AttemptFailed:
    return AttemptFailed(
        at=at, applied_to=0, attempt=1, device=device, code=code, message="no", retry_at=at
    )


def completed(variant: str, device: str = "gpu-0") -> TaskCompleted:
    return TaskCompleted(
        at=1.0,
        applied_to=0,
        attempt=1,
        device=device,
        variant=variant,
        result=BlobRef(digest="d", size=1, media_type="text/plain"),
        queue_s=0.1,
        run_s=0.1,
    )
