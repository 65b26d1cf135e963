"""Taking the lead: memory is the whole log, whoever else writes to it meanwhile."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from msgspec import structs

from pointsman.contracts.levels import LEVELS, Level
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import AGGREGATE_TOPICS, EventCodec
from pointsman.eventstore.ports import Append, AppendAnswer, NewEvent
from pointsman.eventstore.reading import NewerEventError
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.folding import Folding
from pointsman.scheduler.leading.take_lead import Candidate
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.influences import level_changed, preferred
from tests.support.task_events import accepted, dead_letter, record, stream_of

LADDER = stream_of(uuid4(), [level_changed(level) for level in LEVELS[1:]])


class BusyStore(MemoryEventStore):
    """A log to which other services append while somebody takes the lead."""

    def __init__(self, *, while_read: bool = False) -> None:
        super().__init__()
        self._while_read = while_read
        self._others = iter(LADDER)

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        if append.take_over is not None:
            self._append_other()
        return await super().append(append, timeout_s=timeout_s)

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        page = await super().read(after, limit=limit, topics=topics)
        if self._while_read:
            # Committed after the page was made, heard of before it is folded.
            self._append_other()
        return page

    def _append_other(self) -> None:
        event = next(self._others, None)
        if event is not None:
            self.commit([Append([event])])


async def led(store: MemoryEventStore) -> tuple[Pool, list[Exception]]:
    pool, broken = Pool("main"), list[Exception]()
    await Folding(pool, store, EventCodec(), on_broken=broken.append).start()
    await Candidate(pool, store, EventCodec(), FakeClock(), holder="here").elected()
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
    store, pool = MemoryEventStore(), Pool("main")
    folding = Folding(pool, store, EventCodec(), on_broken=lambda error: pytest.fail(repr(error)))
    await folding.start()
    before = pool.applied_to

    await folding.stop()
    await record(store, LADDER[:1])

    assert pool.applied_to == before


def of_a_newer_release(event: NewEvent) -> NewEvent:
    name = event.topic.rpartition(".v")[0]
    return structs.replace(event, topic=f"{name}.v2", state=b'{"at":1.0,"applied_to":0,"new":true}')


async def test_an_event_of_a_newer_release_keeps_a_scheduler_from_leading() -> None:
    store = MemoryEventStore()
    await record(store, stream_of(uuid4(), [accepted()]))
    (newer,) = stream_of(uuid4(), [accepted()])
    await store.append(Append([of_a_newer_release(newer)]))

    with pytest.raises(NewerEventError, match="Upgrade Pointsman") as refused:
        await led(store)

    assert (refused.value.code, refused.value.position) == ("newer_event", 2)
    assert refused.value.topic == "task.accepted.v2"
    assert await store.leader("main") is None


async def test_a_newer_event_that_no_decision_stands_on_is_passed_over() -> None:
    store = MemoryEventStore()
    (rating,) = stream_of(uuid4(), [dead_letter()])
    await store.append(Append([of_a_newer_release(rating)]))

    pool, broken = await led(store)

    assert broken == []
    assert pool.applied_to == await store.head()
