"""Taking the lead: memory is the whole log, whoever else writes to it meanwhile."""

from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest

from pointsman.contracts.levels import LEVELS, Level
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import AGGREGATE_TOPICS, EventCodec
from pointsman.eventstore.ports import Append, NewEvent
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.take_lead import take_lead
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.influences import level_changed, preferred
from tests.support.task_events import record, stream_of

LADDER = stream_of(uuid4(), [level_changed(level) for level in LEVELS[1:]])


class BusyStore(MemoryEventStore):
    """A log to which other services append while somebody takes the lead."""

    def __init__(self, *, while_read: bool = False) -> None:
        super().__init__()
        self._while_read = while_read
        self._others = iter(LADDER)
        self._leads = False

    async def lead(self, pool: str, holder: str) -> int:
        self._append_other()
        self._leads = True
        return await super().lead(pool, holder)

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        page = await super().read(after, limit=limit, topics=topics)
        if self._leads and self._while_read:
            # Committed after the page was made, heard of before it is folded.
            self._append_other()
        return page

    def _append_other(self) -> None:
        event = next(self._others, None)
        if event is not None:
            self.commit([Append([event])])


async def led(store: MemoryEventStore) -> tuple[Pool, list[Exception]]:
    pool, broken = Pool("main"), list[Exception]()
    await take_lead(
        pool,
        store,
        EventCodec(),
        holder="here",
        clock=FakeClock(),
        on_end=lambda _: None,
        on_broken=broken.append,
    )
    return pool, broken


@pytest.mark.parametrize(
    ("while_read", "level"), [(False, Level.CONSERVE), (True, LEVELS[-1])], ids=["lead", "read"]
)
async def test_what_others_record_while_the_lead_is_taken_is_folded(
    while_read: bool, level: Level
) -> None:
    store = BusyStore(while_read=while_read)
    await record(store, stream_of(uuid4(), [preferred("fast", "best")]))

    pool, broken = await led(store)

    assert broken == []
    assert pool.influences.level is level
    assert pool.applied_to == await store.head()


async def test_what_other_libraries_fold_is_passed_over() -> None:
    store = MemoryEventStore()
    topics = sorted(AGGREGATE_TOPICS)
    plain = stream_of(uuid4(), [level_changed(Level.CONSERVE)] * len(topics))
    told = [
        NewEvent(e.id, e.stream, e.version, topic, b"not ours", e.event)
        for e, topic in zip(plain, topics, strict=True)
    ]
    await record(store, told)

    pool, broken = await led(store)

    assert broken == []
    assert pool.applied_to == len(told) + 1
    assert pool.influences.level is Level.NORMAL


async def test_folding_ends_when_the_service_ends() -> None:
    store, pool, ends = MemoryEventStore(), Pool("main"), list[Callable[[], None]]()
    await take_lead(
        pool,
        store,
        EventCodec(),
        holder="here",
        clock=FakeClock(),
        on_end=ends.append,
        on_broken=lambda error: pytest.fail(repr(error)),
    )
    before = pool.applied_to

    for end in ends:
        end()
    await record(store, LADDER[:1])

    assert pool.applied_to == before
