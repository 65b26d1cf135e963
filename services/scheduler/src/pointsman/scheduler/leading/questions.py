"""Answers to questions about the pool, its tasks and its log."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.bulk import AskBulk, BulkRow
from pointsman.contracts.endurance import AttemptProgress
from pointsman.contracts.events import Decision, TaskAccepted
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
from pointsman.contracts.schedules import ListSchedules, ScheduleRow
from pointsman.contracts.steering import PauseRow, TenantRow
from pointsman.contracts.task_states import TaskState, next_state
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import EventStore
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.why.dependencies import free_at
from pointsman.scheduler.domain.why.history import sentences
from pointsman.scheduler.domain.why.in_the_way import ToldWait, in_the_way
from pointsman.scheduler.domain.why.waits import waits_for
from pointsman.scheduler.leading.around_task import AroundTask
from pointsman.scheduler.leading.pool_rows import (
    device_rows,
    model_rows,
    pause_rows,
    schedule_rows,
    tenant_rows,
)
from pointsman.scheduler.ports import Views

MAX_ROWS: Final = 1_000

_CATCH_UP_S: Final = 1.0

ProgressOf = Callable[[str, UUID, int], AttemptProgress | None]
"""What the holder of an attempt last said about it: executor, task and attempt."""


def _nobody_says(_executor: str, _task: UUID, _attempt: int) -> AttemptProgress | None:
    return None


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
        now: Callable[[], float],
        progress: ProgressOf = _nobody_says,
    ) -> None:
        self._pool = pool
        self._store = store
        self._codec = codec
        self._views = views
        self._feed_position = feed_position
        self._pid = pid
        self._now = now
        self._progress = progress
        self._around = AroundTask(pool, store, codec)

    async def tasks(self, query: ListTasks) -> list[TaskRow]:
        """Newest first."""
        await self._catch_up()
        return list(await self._views.tasks(query))

    async def task(self, task: UUID) -> TaskRow | None:
        """One task, with what its running attempt last said."""
        await self._catch_up()
        row = await self._views.task(task)
        running = self._pool.tasks.get(task)
        leases = running.leases if running is not None else ()
        said = (self._progress(lease.executor, task, lease.attempt) for lease in leases)
        # Of two attempts the one that got farther is the one to wait for.
        told = max((each for each in said if each), key=lambda t: t.progress or 0.0, default=None)
        if row is None or told is None:
            return row
        return msgspec.structs.replace(
            row, progress=told.progress, progress_note=told.note, silent_s=told.silent_s
        )

    async def bulk(self, asked: AskBulk) -> BulkRow:
        """How the tasks of a bulk in the pool stand."""
        await self._catch_up()
        states = dict(await self._views.bulk(self._pool.name, asked))
        return BulkRow(self._pool.name, asked.tenant, asked.bulk, states)

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
        positions = tuple(event.position for event in recorded)
        ends = await self._around.ends(history[0])
        waits = await self._waits(task, history, positions, free_at(history[0], ends))
        open_task = self._pool.tasks.get(task)
        return Why(
            task=task,
            state=_state(history),
            sentences=tuple(sentences(history, waits, ends)),
            pool=history[0].pool,
            waits_for=waits_for(self._pool, open_task, at=self._now()) if open_task else None,
            positions=positions,
            around=tuple(sorted({at for told in waits.values() for at in told.positions})),
        )

    async def _waits(
        self,
        task: UUID,
        history: Sequence[Decision],
        positions: Sequence[int],
        free: float,
    ) -> dict[int, ToldWait]:
        """What was in its way, by the event that ended each wait."""
        now = self._now()
        around = await self._around.read(task, history, positions, now=now, free_at=free)
        if not around.noted:
            return {}
        return await asyncio.to_thread(in_the_way, history, around, now=now)

    def models(self) -> list[ModelRow]:
        """Registered variants by family and quality."""
        return model_rows(self._pool)

    def devices(self) -> list[DeviceRow]:
        """Devices of the pool."""
        return device_rows(self._pool)

    def schedules(self, asked: ListSchedules) -> list[ScheduleRow]:
        """Schedules by tenant and name."""
        return schedule_rows(self._pool, asked)

    def tenants(self) -> list[TenantRow]:
        """Tenants that have settings or work, or have had some."""
        return tenant_rows(self._pool)

    def pauses(self) -> list[PauseRow]:
        """Everything that is paused, oldest first."""
        return pause_rows(self._pool)

    def pool(self) -> PoolRow:
        """The pool in one row."""
        load = sample_load(self._pool, at=self._now())
        waits = [
            each.predicted_wait_s for each in load.families if each.predicted_wait_s is not None
        ]
        return PoolRow(
            pool=self._pool.name,
            epoch=self._pool.epoch,
            holder=self._pool.holder,
            position=self._pool.applied_to,
            queued=load.queued,
            granted=load.granted,
            feed_position=self._feed_position(),
            pid=self._pid,
            devices=sum(device.state == DeviceStatus.READY for device in load.devices),
            wait_s=max(waits, default=None),
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


def _state(history: list[Decision]) -> str:
    state = TaskState.NEW
    for event in history:
        state = next_state(state, type(event))
    return state
