"""From decisions to appends."""

from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.contracts.decided import Decided
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import (
    Appended,
    Fenced,
    LogUnavailableError,
    VersionConflict,
)
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.electing import elected
from tests.support.log_events import a_command
from tests.support.task_events import CODEC, cancelled, failed


async def test_the_events_of_a_decision_follow_the_version_that_it_was_made_on() -> None:
    store, stream = MemoryEventStore(), uuid4()
    journal = Journal(store, CODEC)
    await journal.record(Decided(stream, 0, (cancelled(),)))

    answer = await journal.record(Decided(stream, 1, (failed(), cancelled("again")), "acme"))

    assert answer == Appended((2, 3))
    read = await store.read_stream(stream)
    assert [event.version for event in read] == [1, 2, 3]
    assert [event.tenant for event in read] == ["", "acme", "acme"]
    assert [CODEC.decode(event.type, event.data) for event in read] == [
        cancelled(),
        failed(),
        cancelled("again"),
    ]
    assert len({event.id for event in read}) == 3


async def test_only_the_leader_records_where_there_is_a_leadership() -> None:
    store = MemoryEventStore()
    old, new = [await elected(store, "main", "a") for _ in range(2)]
    decided = Decided(uuid4(), 0, (cancelled(),))

    refused = await Journal(store, CODEC, old).record(decided)
    taken = await Journal(store, CODEC, new).record(decided)

    assert (refused, taken) == (Fenced(2), Appended((1,)))
    assert [event.epoch for event in await store.read(0)] == [2]


async def test_a_command_makes_its_decision_once() -> None:
    store = MemoryEventStore()
    journal = Journal(store, CODEC)

    for _ in range(2):
        await journal.record(Decided(uuid4(), 0, (cancelled(),)), a_command("m"))

    assert await store.head() == 1


async def test_independent_decisions_are_answered_each_on_its_own(tmp_path: Path) -> None:
    fits, does_not = uuid4(), uuid4()
    async with SqliteEventStore(tmp_path / "log.db") as store:
        answers = await Journal(store, CODEC).record_all(
            [Decided(fits, 0, (cancelled(),)), Decided(does_not, 3, (failed(),))]
        )

    assert answers == [Appended((1,)), VersionConflict(does_not, actual=0)]


async def test_no_decisions_need_no_append() -> None:
    assert await Journal(MemoryEventStore(), CODEC).record_all([]) == []


async def test_the_first_that_failed_is_raised_after_all_were_answered() -> None:
    store = MemoryEventStore()
    store.failure = "disk full"
    decided = [Decided(uuid4(), 0, (cancelled(),)) for _ in range(3)]

    with pytest.raises(LogUnavailableError, match="disk full"):
        await Journal(store, CODEC).record_all(decided)

    assert await store.head() == 0


async def test_decisions_about_several_streams_are_recorded_together_or_not_at_all() -> None:
    store, first, second = MemoryEventStore(), uuid4(), uuid4()
    journal = Journal(store, CODEC)
    also = (Decided(second, 0, (failed(),), "acme"),)

    taken = await journal.record(Decided(first, 0, (cancelled(),), "acme", also=also))
    refused = await journal.record(Decided(first, 1, (cancelled("again"),), "acme", also=also))

    assert taken == Appended((1, 2))
    assert refused == VersionConflict(second, 1)
    assert [event.stream for event in await store.read(0)] == [first, second]
