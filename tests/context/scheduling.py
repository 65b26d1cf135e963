"""The log of a test, and a scheduler that does as it is told."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from pointsman.context.ports import SchedulerSilentError
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    Done,
    Duplicate,
    PrepareTask,
    Rejected,
    SubmitTask,
)
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision, TaskAccepted, TaskCompleted, TaskPrepared
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import Append, AppendAnswer, Appended
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.memory_event_store import MemoryEventStore

UNKNOWN_FAMILY = Rejected(code="unknown_family", message="no model of family 'embed' is registered")

Embed = Callable[[str], bytes]


def vector(*parts: float) -> bytes:
    """An embedding with these first parts; the others are zero."""
    values = np.zeros(256, np.dtype("<f4"))
    values[: len(parts)] = parts
    return values.tobytes()


def by_first_letter(text: str) -> bytes:
    """Texts with the same first letter have to do with each other, others have not."""
    values = np.zeros(256, np.dtype("<f4"))
    values[ord(text[0]) % 256] = 1.0
    return values.tobytes()


class CountingStore(MemoryEventStore):
    """Knows how many appends it has refused."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        if self.failure is not None:
            self.refused += 1
        return await super().append(append, timeout_s=timeout_s)


class Log:
    """What the scheduler would write, in a log that everybody reads."""

    def __init__(self, clock: FakeClock) -> None:
        self.store = CountingStore()
        self.codec = EventCodec()
        self.clock = clock
        self._journal = Journal(self.store, self.codec)

    async def record(self, stream: UUID, event: Decision, tenant: str = "") -> int:
        version = len(await self.store.read_stream(stream))
        answer = await self._journal.record(Decided(stream, version, (event,), tenant))
        assert isinstance(answer, Appended)
        return answer.positions[0]

    async def events(self, topic: str) -> list[Recorded]:
        return [*await self.store.read(0, limit=1_000_000, topics=[topic])]

    async def decoded(self, topic: str) -> list[Any]:
        return [self.codec.decode(e.type, bytes(e.data)) for e in await self.events(topic)]


class MemoryScheduler:
    """Implements `ports.Scheduler` on the log; its embedding tasks complete at once."""

    def __init__(self, log: Log, blobs: MemoryBlobs) -> None:
        self.prepared: dict[UUID, PrepareTask] = {}
        self.submitted: dict[str, SubmitTask] = {}
        self.embed: Embed | None = by_first_letter
        """None: embedding tasks are accepted and never end."""
        self.refusal: Rejected | None = None
        self.silent = False
        self._log = log
        self._blobs = blobs
        self._accepted: dict[str, UUID] = {}

    async def prepare(self, pool: str, command: PrepareTask) -> Answer:
        if self.silent:
            raise SchedulerSilentError(pool)
        if command.task in self.prepared:
            return Done(detail="the task waits for nothing any more")
        self.prepared[command.task] = command
        accepted = (await self._log.store.read_stream(command.task))[0]
        at, tenant = self._log.clock.wall(), accepted.tenant
        event: Decision = TaskPrepared(
            at=at,
            applied_to=0,
            payload=command.payload,
            assembly=command.assembly,
            kept=command.kept,
            dropped=command.dropped,
            tokens=command.tokens,
            note=command.note,
        )
        if command.cached is not None:
            event = completed(at, command.cached, command.cached_variant, command.cached_from)
        await self._log.record(command.task, event, tenant)
        return Done(detail="prepared")

    async def submit(self, pool: str, task: SubmitTask) -> Answer:
        if self.silent:
            raise SchedulerSilentError(pool)
        if self.refusal is not None:
            return self.refusal
        if task.command_id in self._accepted:
            return Duplicate(task=self._accepted[task.command_id])
        self.submitted[task.command_id] = task
        assert task.payload_ref is not None
        stream = self._accepted[task.command_id] = uuid4()
        event = accepted(
            self._log.clock.wall(),
            task.payload_ref,
            tenant=task.tenant,
            family=task.family,
            variants=("embed_hashed",),
            message_id=task.command_id,
            source=task.source,
        )
        await self._log.record(stream, event, task.tenant)
        if self.embed is not None:
            await self._embed(stream, task, task.payload_ref, self.embed)
        return Accepted(task=stream)

    async def _embed(self, stream: UUID, task: SubmitTask, content: BlobRef, embed: Embed) -> None:
        text = (await self._blobs.get(task.tenant, content)).decode()
        result = await self._blobs.put(task.tenant, embed(text), "application/octet-stream")
        end = completed(self._log.clock.wall(), result, "embed_hashed")
        await self._log.record(stream, end, task.tenant)


def accepted(
    at: float,
    content: BlobRef,
    *,
    tenant: str = "acme",
    family: str = "summarize",
    **more: Any,  # noqa: ANN401 - fields of a task
) -> TaskAccepted:
    required: dict[str, Any] = {
        "variants": ("summarize_hashed", "summarize_lead"),
        "message_id": "m",
        "source": "/test",
        **more,
    }
    return TaskAccepted(
        at=at,
        applied_to=0,
        pool="main",
        tenant=tenant,
        family=family,
        priority_class=PriorityClass.STANDARD,
        key=at,
        payload=content,
        **required,
    )


def completed(
    at: float, result: BlobRef, variant: str = "summarize_hashed", cached_from: str = ""
) -> TaskCompleted:
    return TaskCompleted(
        at=at,
        applied_to=0,
        attempt=0 if cached_from else 1,
        device="" if cached_from else "cpu-0",
        variant=variant,
        result=result,
        queue_s=0.0,
        run_s=0.1,
        cached_from=cached_from,
    )
