"""A service's own events: its state is the fold of the log, however an append was answered."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.decided import Decided
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.own_events import FoldBrokenError, OwnEvents
from pointsman.eventstore.ports import (
    Append,
    Appended,
    DuplicateCommand,
    EventStore,
    LogUnavailableError,
    NewEvent,
    VersionConflict,
)
from pointsman.eventstore.reading import DamagedEventError
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.eventstore.owning import OWN, Fold, an_ending, events_of
from tests.support.log_events import a_command, an_event
from tests.support.task_events import CODEC, cancelled, failed, record, record_lives, stream_of


class BusyStore(MemoryEventStore):
    """Commits what is in `meanwhile` while pages are being read: one append per page."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: list[Append] = []

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        page = await super().read(after, limit=limit, topics=topics)
        if self.meanwhile:
            await self.append(self.meanwhile.pop(0))
        return page


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[EventStore]:
    made: EventStore = (
        MemoryEventStore() if request.param == "memory" else SqliteEventStore(tmp_path / "log.db")
    )
    yield made
    await made.close()


async def test_what_is_in_the_log_is_folded_and_other_topics_are_passed_over(
    store: EventStore,
) -> None:
    stream, fold = uuid4(), Fold()
    await record_lives(store, 2)
    await record(store, stream_of(stream, [cancelled(), failed()]))

    own = events_of(store, fold)
    await own.load()

    assert fold.taken == [(7, cancelled()), (8, failed())]
    assert (own.position, own.version_of(stream), own.version_of(uuid4())) == (8, 2, 0)


async def test_what_is_recorded_is_folded_before_its_answer(store: EventStore) -> None:
    stream, fold = uuid4(), Fold()
    own = events_of(store, fold)
    await own.load()

    answer = await own.record(own.decided(stream, cancelled(), failed(), tenant="acme"))

    assert answer == Appended((1, 2))
    assert fold.taken == [(1, cancelled()), (2, failed())]
    assert own.decided(stream, cancelled()) == Decided(stream, 2, (cancelled(),))
    assert [event.tenant for event in await store.read(0)] == ["acme", "acme"]


async def test_a_repeated_command_is_answered_and_folds_nothing_twice(store: EventStore) -> None:
    fold = Fold()
    own = events_of(store, fold)
    await own.load()

    answers = [
        await own.record(own.decided(uuid4(), cancelled()), a_command("m")) for _ in range(2)
    ]

    assert answers == [Appended((1,)), DuplicateCommand(1, b"reply", same_request=True)]
    assert fold.positions == [1]


async def test_a_decision_on_an_old_version_is_refused_and_the_next_one_fits(
    store: EventStore,
) -> None:
    stream, fold = uuid4(), Fold()
    own = events_of(store, fold)
    await own.load()
    old = own.decided(stream, failed())
    await own.record(own.decided(stream, cancelled()))

    refused = await own.record(old)
    taken = await own.record(own.decided(stream, failed()))

    assert refused == VersionConflict(stream, actual=1)
    assert taken == Appended((2,))
    assert fold.positions == [1, 2]


async def test_an_append_that_the_log_did_not_take_folds_nothing() -> None:
    store, fold = MemoryEventStore(), Fold()
    own = events_of(store, fold)
    await own.load()
    store.failure = "disk full"

    with pytest.raises(LogUnavailableError):
        await own.record(own.decided(uuid4(), cancelled()))

    assert fold.taken == []


async def test_two_services_of_one_process_fold_each_its_own(store: EventStore) -> None:
    one, other = Fold(), Fold()
    first = OwnEvents(store, CODEC, OWN[:1], one.evolve)
    second = OwnEvents(store, CODEC, OWN[1:], other.evolve)
    await first.load()
    await second.load()

    await asyncio.gather(
        *(first.record(first.decided(uuid4(), cancelled())) for _ in range(20)),
        *(second.record(second.decided(uuid4(), failed())) for _ in range(20)),
    )

    assert {event for _, event in one.taken} == {cancelled()}
    assert {event for _, event in other.taken} == {failed()}
    assert sorted(one.positions + other.positions) == list(range(1, 41))


async def test_who_has_closed_hears_no_more_and_can_be_loaded_again_by_another(
    store: EventStore,
) -> None:
    stream, before, after = uuid4(), Fold(), Fold()
    earlier = events_of(store, before)
    await earlier.load()
    await record(store, an_ending(stream, 1))

    earlier.close()
    await record(store, an_ending(stream, 2))
    await events_of(store, after).load()

    assert before.positions == [1]
    assert after.positions == [1, 2]


async def test_closing_before_loading_is_nothing() -> None:
    events_of(MemoryEventStore(), Fold()).close()


@given(committed=st.integers(0, 5), meanwhile=st.integers(0, 5))
def test_commits_while_pages_are_read_are_folded_once_and_in_log_order(
    committed: int, meanwhile: int
) -> None:
    async def check() -> None:
        store, stream, fold = BusyStore(), uuid4(), Fold()
        endings = [an_ending(stream, version) for version in range(1, committed + meanwhile + 1)]
        for ending in endings[:committed]:
            await record(store, ending)
        store.meanwhile = [Append(ending) for ending in endings[committed:]]

        own = events_of(store, fold)
        await own.load()
        while store.meanwhile:
            await store.append(store.meanwhile.pop(0))

        assert fold.positions == list(range(1, committed + meanwhile + 1))
        assert own.version_of(stream) == committed + meanwhile

    asyncio.run(check())


async def test_an_event_that_cannot_be_read_keeps_the_service_from_starting(
    store: EventStore,
) -> None:
    odd = an_event(uuid4(), 1)
    broken = NewEvent(odd.id, odd.stream, 1, OWN[1], odd.state, odd.event)
    await store.append(Append([broken]))

    with pytest.raises(DamagedEventError):
        await events_of(store, Fold()).load()


async def test_after_a_fold_that_failed_nothing_more_is_folded_or_recorded(
    store: EventStore,
) -> None:
    stream, fold = uuid4(), Fold()
    own = events_of(store, fold)
    await own.load()
    fold.faults = {2}
    for version in (1, 2, 3):
        await record(store, an_ending(stream, version))

    with pytest.raises(FoldBrokenError, match="position 2") as broken:
        await own.record(own.decided(stream, failed()))

    assert broken.value.position == 2
    assert fold.positions == [1]
    assert await store.head() == 3
