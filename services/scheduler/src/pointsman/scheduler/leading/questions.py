"""Answers to questions about the pool, its tasks and its log."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from pointsman.contracts.events import Decision, ModelRegistered, TaskAccepted
from pointsman.contracts.queries import (
    DeadLetterRow,
    DeviceRow,
    ListDeadLetters,
    ListEvents,
    ListTasks,
    LogRow,
    ModelRow,
    PoolRow,
    TaskRow,
    Why,
)
from pointsman.contracts.recorded import PACK_BYTES, Recorded, packed_size
from pointsman.contracts.task_states import TaskState, next_state
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import EventStore
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why import sentences
from pointsman.scheduler.ports import Views

MAX_ROWS: Final = 1_000

_CATCH_UP_S: Final = 1.0


class Questions:
    """Reads memory, views and the log; changes nothing."""

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        codec: EventCodec,
        views: Views,
        *,
        feed_position: Callable[[], int],
        pid: int,
    ) -> None:
        self._pool = pool
        self._store = store
        self._codec = codec
        self._views = views
        self._feed_position = feed_position
        self._pid = pid

    async def tasks(self, query: ListTasks) -> list[TaskRow]:
        """Newest first."""
        await self._catch_up()
        return list(await self._views.tasks(query))

    async def task(self, task: UUID) -> TaskRow | None:
        """One task."""
        await self._catch_up()
        return await self._views.task(task)

    async def dead_letters(self, query: ListDeadLetters) -> list[DeadLetterRow]:
        """Newest first."""
        await self._catch_up()
        return list(await self._views.dead_letters(query))

    async def events(self, query: ListEvents) -> list[Recorded]:
        """As many as were asked for and fit into one message."""
        limit = min(max(query.limit, 1), MAX_ROWS)
        if query.stream is not None:
            stream = await self._store.read_stream(query.stream, after=query.after)
            found = [event for event in stream if not query.topics or event.type in query.topics]
        else:
            found = await self._store.read(query.after, limit=limit, topics=query.topics)
        taken: list[Recorded] = []
        size = 0
        for event in found[:limit]:
            size += packed_size(event)
            if taken and size > PACK_BYTES:
                break
            taken.append(event)
        return taken

    async def why(self, task: UUID) -> Why | None:
        """The history of a task in sentences, None if it was never accepted."""
        recorded = await self._store.read_stream(task)
        if not recorded:
            return None
        history = [self._codec.decode(event.type, bytes(event.data)) for event in recorded]
        if not isinstance(history[0], TaskAccepted):
            return None
        open_task = self._pool.tasks.get(task)
        return Why(
            task=task,
            state=_state(history),
            sentences=tuple(sentences(history)),
            waits_for=self._waits_for(open_task) if open_task is not None else None,
            positions=tuple(event.position for event in recorded),
        )

    def models(self) -> list[ModelRow]:
        """Registered variants by family and quality."""
        ordered = sorted(self._pool.models.values(), key=lambda m: (m.family, -m.quality))
        return [self._model(model) for model in ordered]

    def _model(self, model: ModelRegistered) -> ModelRow:
        times = self._pool.models.run_times_of(model.variant)
        loaded = {
            name: device.slots_of[model.variant]
            for name, device in self._pool.devices.items()
            if model.variant in device.slots_of and device.status is not DeviceStatus.DETACHED
        }
        return ModelRow(
            variant=model.variant,
            family=model.family,
            quality=model.quality,
            memory_mib=model.memory_mib,
            load_s=model.load_s,
            slots=sum(loaded.values()),
            devices=tuple(loaded),
            runs=times.runs,
            p50_s=times.p50_s if times.measured else None,
            p99_s=times.p99_s if times.measured else None,
        )

    def devices(self) -> list[DeviceRow]:
        """Devices of the pool."""
        return [
            DeviceRow(
                device=name,
                device_class=device.offer.device_class,
                endpoint=device.offer.endpoint,
                executor=device.offer.executor,
                state=device.status,
                reason=device.reason,
                slots=device.offer.slots,
                in_flight=len(device.held),
                suspect=len(device.suspect),
                variants=tuple(device.slots_of),
            )
            for name, device in self._pool.devices.items()
        ]

    def pool(self) -> PoolRow:
        """The pool in one row."""
        return PoolRow(
            pool=self._pool.name,
            epoch=self._pool.epoch,
            holder=self._pool.holder,
            position=self._pool.applied_to,
            queued=self._pool.queued,
            granted=len(self._pool.tasks) - self._pool.queued,
            feed_position=self._feed_position(),
            pid=self._pid,
        )

    async def log(self) -> LogRow:
        """The log that stands behind all of this."""
        identity = await self._store.identity()
        return LogRow(
            incarnation=identity.incarnation,
            position=self._pool.applied_to,
            ancestors=identity.ancestors,
        )

    async def _catch_up(self) -> None:
        # Whoever was answered can ask for it; a view that is far behind answers what it has.
        await self._views.caught_up(self._pool.applied_to, timeout_s=_CATCH_UP_S)

    def _waits_for(self, task: OpenTask) -> str:
        if task.lease is not None:
            return f"the result of attempt {task.lease.attempt} on {task.lease.device}"
        wanted = set(task.accepted.variants)
        fitting = [d for d in self._pool.devices.values() if wanted & set(d.slots_of)]
        ready = [device for device in fitting if device.status is DeviceStatus.READY]
        if not fitting:
            return "a device that has one of its variants loaded; none is attached"
        if not ready:
            return f"a device to come back: {fitting[0].offer.device} is {fitting[0].status}"
        queue = self._pool.queues.get(task.class_id)
        if queue is None or task.id not in queue:
            return "the end of its retry delay"
        return f"a free slot; {self._pool.queued} task(s) wait in the pool"


def _state(history: list[Decision]) -> str:
    state = TaskState.NEW
    for event in history:
        state = next_state(state, type(event))
    return state
