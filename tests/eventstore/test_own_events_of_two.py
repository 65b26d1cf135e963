"""Two instances of one service: both append, and each hears of its own commits only."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.own_events import FoldBrokenError
from pointsman.eventstore.ports import Append, Appended, NewEvent, VersionConflict
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.eventstore.owning import Fold, an_ending, events_of
from tests.support.task_events import cancelled, failed


class SharedStore(MemoryEventStore):
    """A log to which a second process appends, of which this one hears nothing."""

    async def append_elsewhere(self, events: Sequence[NewEvent]) -> None:
        listeners, self._listeners = self._listeners, []
        await self.append(Append(events))
        self._listeners = listeners


async def test_what_a_second_instance_appends_is_folded_when_both_meet() -> None:
    store, stream, other, fold = SharedStore(), uuid4(), uuid4(), Fold()
    own = events_of(store, fold)
    await own.load()
    await store.append_elsewhere(an_ending(other, 1))
    await store.append_elsewhere(an_ending(stream, 1))

    answer = await own.record(own.decided(stream, failed()))

    assert answer == VersionConflict(stream, actual=1)
    assert fold.positions == [1, 2]
    assert await own.record(own.decided(stream, failed())) == Appended((3,))
    assert fold.positions == [1, 2, 3]


async def test_a_race_within_the_process_reads_nothing() -> None:
    class Unreadable(MemoryEventStore):
        unreadable = False

        async def read(
            self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
        ) -> Sequence[Recorded]:
            assert not self.unreadable
            return await super().read(after, limit=limit, topics=topics)

    store, stream, fold = Unreadable(), uuid4(), Fold()
    own = events_of(store, fold)
    await own.load()
    store.unreadable = True

    decided = [own.decided(stream, cancelled()) for _ in range(2)]
    answers = [await own.record(each) for each in decided]

    assert answers == [Appended((1,)), VersionConflict(stream, actual=1)]
    assert fold.positions == [1]


async def test_a_second_instance_that_appended_before_what_is_folded_ends_the_fold() -> None:
    store, stream, fold = SharedStore(), uuid4(), Fold()
    own = events_of(store, fold)
    await own.load()
    await store.append_elsewhere(an_ending(stream, 1))
    await own.record(own.decided(uuid4(), failed()))

    with pytest.raises(FoldBrokenError, match="second instance"):
        await own.record(own.decided(stream, failed()))

    assert fold.positions == [2]
    anew = Fold()
    await events_of(store, anew).load()
    assert anew.positions == [1, 2]


async def test_what_is_recorded_while_others_are_read_is_folded_once_and_in_order() -> None:
    store, stream, fold = SharedStore(), uuid4(), Fold()
    own = events_of(store, fold)
    await own.load()
    await store.append_elsewhere(an_ending(stream, 1))

    await asyncio.gather(
        own.record(own.decided(stream, failed())),
        *(own.record(own.decided(uuid4(), cancelled())) for _ in range(5)),
        return_exceptions=True,
    )

    assert fold.positions == sorted(set(fold.positions))
