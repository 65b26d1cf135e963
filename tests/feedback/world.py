"""The feedback service without a bus: a log in memory, a real view, a clock that tests move."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from pointsman.contracts import events
from pointsman.contracts.commands import Done
from pointsman.contracts.events import Decision
from pointsman.contracts.feedback import GiveFeedback, RatingKind
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.event_sources import LogSource
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import EventStore
from pointsman.feedback.adapters.views import TaskView
from pointsman.feedback.domain.learned import TOPICS, Learned
from pointsman.feedback.learning.giving import Giving
from pointsman.feedback.learning.learner import Learner
from pointsman.feedback.learning.questions import Questions
from pointsman.feedback.learning.withdrawing import Withdrawing
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.task_events import NOON, record, stream_of

GOOD = True
BAD = False
WINDOW_S = 600.0
RESULT = BlobRef(digest="b" * 64, size=100, media_type="text/plain", shard="executor")
CODEC = EventCodec()

EventT = TypeVar("EventT", bound=Decision)


def registered(variant: str, quality: float, *, family: str = "summarize") -> Decision:
    return events.ModelRegistered(
        at=NOON, applied_to=0, variant=variant, family=family, quality=quality, memory_mib=1.0,
        load_s=1.0, slots=1, service_s=0.1, service_p99_s=0.2, media_type="text/plain",
    )  # fmt: skip


def accepted(
    *, tenant: str = "acme", pool: str = "main", family: str = "summarize",
    conversation: str | None = None,
) -> Decision:  # fmt: skip
    return events.TaskAccepted(
        at=NOON, applied_to=0, pool=pool, tenant=tenant, family=family,
        priority_class=PriorityClass.STANDARD, key=NOON + 30, variants=("large", "small"),
        payload=RESULT, message_id="m-1", source="/tests", conversation=conversation,
    )  # fmt: skip


def granted(at: float, attempt: int = 1) -> Decision:
    chosen = events.Candidate(device="gpu-0", variant="large", score=1, memory=1, utilisation=1)
    explanation = events.Explanation(
        queued=1, rank=1, components=events.KeyComponents(base_s=30, boost_s=0), chosen=chosen
    )
    return events.TaskGranted(
        at=at, applied_to=0, attempt=attempt, round=0, executor="e", incarnation="i",
        device="gpu-0", variant="large", run_timeout_s=10, explanation=explanation,
    )  # fmt: skip


def attempt_failed(at: float, attempt: int = 1) -> Decision:
    return events.AttemptFailed(
        at=at, applied_to=0, attempt=attempt, device="gpu-0", code="x", message="", retry_at=at
    )


def prepared(*, kept: int = 0, dropped: int = 0) -> Decision:
    return events.TaskPrepared(at=NOON, applied_to=0, kept=kept, dropped=dropped)


def completed(at: float = NOON + 2, *, variant: str = "large", run_s: float = 0.5) -> Decision:
    return events.TaskCompleted(
        at=at, applied_to=0, attempt=1, device="gpu-0", variant=variant, result=RESULT,
        queue_s=1.0, run_s=run_s,
    )  # fmt: skip


def failed(at: float = NOON + 3) -> Decision:
    return events.TaskFailed(at=at, applied_to=0, code="engine_error", message="", attempts=1)


def cancelled(at: float = NOON + 3) -> Decision:
    return events.TaskCancelled(at=at, applied_to=0, by="ada", reason="")


def rating(
    task: UUID, value: bool | float | None = 1.0, *, id_: str | None = None,
    kind: RatingKind | None = None, tenant: str = "acme", comment: str | None = None,
    by: str = "ada",
) -> GiveFeedback:  # fmt: skip
    if kind is None:
        kind = RatingKind.BOOLEAN if isinstance(value, bool) else RatingKind.SCORE
    return GiveFeedback(
        command_id=id_ or str(uuid4()), tenant=tenant, task=task, kind=kind, value=value,
        comment=comment, by=by,
    )  # fmt: skip


@dataclass
class Feedback:
    """One life of the service on a log."""

    store: EventStore
    blobs: MemoryBlobs
    clock: FakeClock
    learned: Learned
    own: OwnEvents
    view: TaskView
    learner: Learner
    giving: Giving
    withdrawing: Withdrawing
    questions: Questions
    tasks: dict[str, UUID] = field(default_factory=dict[str, UUID])
    """A completed task of each variant, to be rated."""

    async def task(self, *decisions: Decision, stream: UUID | None = None, after: int = 0) -> UUID:
        """Record events of a task."""
        task = stream or uuid4()
        await record(self.store, stream_of(task, decisions, after=after))
        return task

    async def completed(self, variant: str = "large", **given: str) -> UUID:
        return await self.task(accepted(**given), completed(variant=variant))

    async def register(self, *models: Decision) -> None:
        for model in models:
            assert isinstance(model, events.ModelRegistered)
            stream = stream_id("model", f"{model.variant}/{uuid4()}")
            await record(self.store, stream_of(stream, [model], tenant=""))
        assert await self.view.up_to_date(timeout_s=5)

    async def rate(self, variant: str, value: bool | float, times: int = 1) -> list[UUID]:
        """Rate a result of a variant; gives the ids of the ratings."""
        if variant not in self.tasks:
            self.tasks[variant] = await self.completed(variant)
        answers = [await self.giving.give(rating(self.tasks[variant], value)) for _ in range(times)]
        assert all(isinstance(answer, Done) for answer in answers)
        return [UUID(answer.detail) for answer in answers if isinstance(answer, Done)]

    async def learn(self) -> None:
        """One pass of the learner, with everything in the view."""
        assert await self.view.up_to_date(timeout_s=5)
        await self.learner.learn(self.own)

    async def measure(self) -> None:
        assert await self.view.up_to_date(timeout_s=5)
        await self.learner.measure(self.own)

    async def history(self, type_: type[EventT]) -> list[EventT]:
        """All recorded events of a type."""
        page = await self.store.read(0, limit=10**6)
        found = [CODEC.decode(each.type, bytes(each.data)) for each in page]
        return [event for event in found if isinstance(event, type_)]


@asynccontextmanager
async def feedback(
    data: Path, store: EventStore | None = None, blobs: MemoryBlobs | None = None
) -> AsyncGenerator[Feedback]:
    """Start the service on a log; a second time is a restart."""
    store, blobs, clock = store or MemoryEventStore(), blobs or MemoryBlobs(), FakeClock()
    learned = Learned()
    view = TaskView(data, LogSource(store))
    learner = Learner(learned, view, clock, window_s=WINDOW_S, measure_every_s=10.0)
    own = OwnEvents(store, CODEC, TOPICS, learner.evolve)
    await own.load()
    following = asyncio.create_task(view.run())
    giving = Giving(own, learned, view, blobs, clock)
    withdrawing = Withdrawing(own, learned, clock)
    try:
        yield Feedback(
            store, blobs, clock, learned, own, view, learner, giving, withdrawing,
            Questions(learned, view),
        )  # fmt: skip
    finally:
        following.cancel()
        await asyncio.wait([following])
        own.close()
        await view.close()
