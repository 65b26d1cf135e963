"""A day of tasks in a log, most of which have ended."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import Append, Appended, EventStore, NewEvent
from pointsman.scheduler.domain.pool import Pool
from tests.support.busy_day import busy_day
from tests.support.scheduling import folded

DAY = busy_day(seed=11, steps=200)
HEAD = len(DAY.history.entries)
OPEN = frozenset(folded(DAY.history.entries).tasks)
"""Tasks that the day leaves open."""

_codec = EventCodec()


async def fill(store: EventStore) -> None:
    """Record the day, event by event."""
    for entry in DAY.history.entries:
        new = NewEvent(
            uuid4(),
            entry.stream,
            entry.version,
            _codec.topic(entry.event),
            _codec.encode(entry.event),
            entry.event,
            "acme",
        )
        assert await store.append(Append([new])) == Appended((entry.position,))


async def whole(log: EventStore, *, page: int = 1000) -> list[Recorded]:
    """Every event, page by page."""
    events: list[Recorded] = []
    while some := await log.read(events[-1].position if events else 0, limit=page):
        events += some
    return events


def fold(events: Sequence[Recorded]) -> Pool:
    pool = Pool("main")
    for event in events:
        decision = _codec.decode(event.type, bytes(event.data))
        pool.evolve(event.position, event.stream, event.version, decision)
    return pool


def ended_tasks() -> list[UUID]:
    return [task for task in DAY.accepted if task not in OPEN]
