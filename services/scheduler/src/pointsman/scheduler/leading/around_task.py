"""What stood around a task while it waited, read from the log when somebody asks.

No task carries this: a pause ends, a limit is lifted, and what they did to thousands of waiting
tasks is told to the few whose owners ask.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import inf
from operator import attrgetter
from typing import Final
from uuid import UUID

from pointsman.contracts.events import Decision, ModelLimited, TaskAccepted, TenantSet
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import EventStore
from pointsman.eventstore.reading import concerns, read_event
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.why.around import AROUND, Around, Noted
from pointsman.scheduler.domain.why.dependencies import DependencyEnd, Ends, end_of
from pointsman.scheduler.domain.why.in_the_way import is_worth_telling
from pointsman.scheduler.domain.why.waiting_times import waits_of
from pointsman.scheduler.leading.runs_meanwhile import RunsMeanwhile

DEVICES: Final = 32
"""Devices of which the events are read: a pool may have a thousand that are all alike."""

EVENTS: Final = 2_048
"""Of those devices together, newest first: one that swaps all day has tens of thousands."""


class AroundTask:
    """Reads the streams of a pool, a tenant and the devices that could run a task."""

    def __init__(self, pool: Pool, store: EventStore, codec: EventCodec) -> None:
        self._pool = pool
        self._store = store
        self._codec = codec
        self._concerns = concerns(codec.names(AROUND))
        self._runs = RunsMeanwhile(store, codec)

    async def read(
        self,
        task: UUID,
        history: Sequence[Decision],
        positions: Sequence[int],
        *,
        now: float,
        free_at: float = 0.0,
    ) -> Around:
        """What may have kept a task waiting; nothing if it never waited for long.

        `free_at` is when it waited for no other tasks any more. Raises what `read_event` raises.
        """
        accepted = history[0]
        waits = [wait for wait in waits_of(history, free_at) if is_worth_telling(wait, now)]
        if not waits or not isinstance(accepted, TaskAccepted):
            return Around(task)
        able = self._able(accepted)
        looked_at = able[:DEVICES]
        streams = await self._streams(accepted, looked_at)
        last = waits[-1]
        until = inf if last.until is None else positions[last.ended_by]
        recorded = [
            each
            for each in chain.from_iterable(streams)
            if each.position <= until and self._concerns(each.type)
        ]
        # An explanation has dozens of fields: thousands of them would keep rounds waiting.
        noted = await asyncio.to_thread(self._noted, recorded, self._drains(looked_at))
        return Around(
            task,
            noted,
            free_at,
            len(able),
            len(looked_at),
            await self._runs.read(task, positions[0], until) if _bounds(noted, accepted) else (),
            _read_from(streams, positions[0]),
        )

    async def _streams(
        self, accepted: TaskAccepted, devices: Sequence[str]
    ) -> Sequence[Sequence[Recorded]]:
        return await asyncio.gather(
            self._store.read_stream(stream_id("pool", accepted.pool)),
            self._store.read_stream(stream_id("tenant", f"{accepted.pool}/{accepted.tenant}")),
            *(self._newest(stream_id("device", name), len(devices)) for name in devices),
            *map(self._store.read_stream, self._breakers(accepted, devices)),
        )

    def _able(self, accepted: TaskAccepted) -> list[str]:
        """Devices that have one of its variants, or could load one."""
        if accepted.pool != self._pool.name or accepted.split is not None:
            return []
        return [
            name
            for name, device in self._pool.devices.items()
            if any(v in device.slots_of or device.can_load(v) for v in accepted.variants)
        ]

    def _breakers(self, accepted: TaskAccepted, devices: Iterable[str]) -> list[UUID]:
        """The streams of breakers that were ever open."""
        names = (f"{device}/{variant}" for device in devices for variant in accepted.variants)
        streams = (stream_id("breaker", name) for name in names)
        return [stream for stream in streams if self._pool.version_of(stream)]

    async def _newest(self, stream: UUID, streams: int) -> Sequence[Recorded]:
        """Its share of what is read of so many streams."""
        after = max(0, self._pool.version_of(stream) - EVENTS // streams)
        return await self._store.read_stream(stream, after=after)

    def _drains(self, devices: Iterable[str]) -> dict[int, Noted]:
        """Those that go on, by position: they may have begun before all that is read."""
        drains = self._pool.steering.drains
        standing = [drains[name] for name in devices if name in drains]
        return {each.position: Noted(each.position, 0, each.event) for each in standing}

    def _noted(
        self, recorded: Iterable[Recorded], drains: Mapping[int, Noted]
    ) -> tuple[Noted, ...]:
        read = {
            each.position: Noted(each.position, each.version, read_event(self._codec, each))
            for each in recorded
        }
        return tuple(sorted({**drains, **read}.values(), key=attrgetter("position")))

    async def ends(self, accepted: TaskAccepted) -> Ends:
        """How the tasks ended that it depends on, those of them that have."""
        names = accepted.depends_on
        histories = await asyncio.gather(*(self._store.read_stream(UUID(name)) for name in names))
        ends = {name: self._end(read) for name, read in zip(names, histories, strict=True)}
        return {name: end for name, end in ends.items() if end is not None}

    def _end(self, recorded: Sequence[Recorded]) -> DependencyEnd | None:
        return end_of([read_event(self._codec, each) for each in recorded])


def _read_from(streams: Iterable[Sequence[Recorded]], first: int) -> int:
    """Before which position something is left out that a task from `first` on may have met."""
    cut = [read[0].position for read in streams if read and read[0].version > 1]
    return max((position for position in cut if position > first), default=0)


def _bounds(noted: Iterable[Noted], accepted: TaskAccepted) -> bool:
    """Whether a limit may have stood in its way."""
    return any(
        event.running is not None
        for _, _, event in noted
        if isinstance(event, TenantSet)
        or (isinstance(event, ModelLimited) and event.variant in accepted.variants)
    )
