"""Aggregates of the `eventsourcing` library in our log, and the library itself on our file."""

import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import NewerVersionError, UnknownTopicError
from pointsman.eventstore import Appended, SqliteEventStore, VersionConflict
from pointsman.eventstore.aggregates import (
    AggregateChanged,
    AggregateTopics,
    Repository,
    WrongAggregateError,
)
from pointsman.eventstore.ports import Append, Committed
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.dogs import Cat, Dog
from tests.support.log_events import ManualClock, an_event, some_events

TOPICS = AggregateTopics([Dog, Cat])


@pytest.fixture
def store() -> MemoryEventStore:
    return MemoryEventStore()


@pytest.fixture
def dogs(store: MemoryEventStore) -> Repository:
    return Repository(store, TOPICS)


async def test_a_saved_aggregate_is_loaded_as_it_was(dogs: Repository) -> None:
    fido = Dog("Fido")
    fido.add_trick("roll over")

    assert await dogs.save(fido, tenant="acme") == Appended((1, 2))

    loaded = await dogs.get(Dog, fido.id)
    assert loaded is not None
    assert (loaded.name, loaded.tricks, loaded.version) == ("Fido", ["roll over"], 2)


async def test_what_was_never_saved_is_none(dogs: Repository) -> None:
    assert await dogs.get(Dog, uuid4()) is None


async def test_the_second_of_two_writers_gets_a_conflict(dogs: Repository) -> None:
    fido = Dog("Fido")
    await dogs.save(fido)
    other = await dogs.get(Dog, fido.id)
    assert other is not None

    fido.add_trick("sit")
    other.add_trick("beg")

    assert await dogs.save(fido) == Appended((2,))
    assert await dogs.save(other) == VersionConflict(fido.id, actual=2)


async def test_aggregates_are_saved_together_or_not_at_all(dogs: Repository) -> None:
    fido, rex = Dog("Fido"), Dog("Rex")
    await dogs.save(fido)
    stale = await dogs.get(Dog, fido.id)
    assert stale is not None
    fido.add_trick("sit")
    await dogs.save(fido)
    stale.add_trick("beg")

    assert await dogs.save(rex, stale) == VersionConflict(fido.id, actual=2)
    assert await dogs.get(Dog, rex.id) is None


async def test_listeners_get_the_event_of_the_library(
    dogs: Repository, store: MemoryEventStore
) -> None:
    seen: list[Committed] = []
    store.on_commit(seen.extend)
    fido = Dog("Fido")

    await dogs.save(fido)

    assert isinstance(seen[0].event, AggregateChanged)
    assert isinstance(seen[0].event.event, Dog.Created)
    assert (seen[0].recorded.type, seen[0].recorded.version) == ("dog.created.v1", 1)


async def test_another_kind_of_aggregate_is_not_taken_for_this_one(dogs: Repository) -> None:
    tom = Cat()
    await dogs.save(tom)

    with pytest.raises(WrongAggregateError, match="Cat"):
        await dogs.get(Dog, tom.id)


def recorded(topic: str, state: bytes = b"{}") -> Recorded:
    return Recorded(
        position=1,
        id=uuid4(),
        stream=uuid4(),
        version=1,
        type=topic,
        time_us=1,
        data=msgspec.Raw(state),
    )


@pytest.mark.parametrize("topic", ["this:Path", "sqlite3.dump:_iterdump", "dog.renamed.v1"])
def test_a_topic_that_is_not_registered_is_refused_and_never_imported(topic: str) -> None:
    sys.modules.pop("this", None)

    with pytest.raises(UnknownTopicError):
        TOPICS.event(recorded(topic))

    assert "this" not in sys.modules


def test_the_class_that_a_first_event_names_is_refused_unless_registered() -> None:
    state = b'{"timestamp": {"_type_": "datetime_iso", "_data_": "2026-01-01T00:00:00+00:00"},'
    state += b'"name": "Fido", "originator_topic": "this:Path"}'

    with pytest.raises(UnknownTopicError, match="this:Path"):
        TOPICS.event(recorded("dog.created.v1", state))


def test_an_event_of_a_newer_release_is_told_from_an_unknown_one() -> None:
    with pytest.raises(NewerVersionError) as caught:
        TOPICS.event(recorded("dog.trick_added.v2"))

    assert (caught.value.known, caught.value.found) == (1, 2)


def test_a_class_without_a_registered_name_is_refused() -> None:
    class Nameless(Aggregate):
        pass

    with pytest.raises(UnknownTopicError, match="Nameless"):
        AggregateTopics([Nameless])


@pytest.fixture
def library(tmp_path: Path) -> Iterator["Application[UUID]"]:
    """The library's own application on the file `log.db`."""
    application = Application[UUID](
        {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(tmp_path / "log.db"),
            "APPLICATION_RECORDER_TOPIC": "pointsman.eventstore.library_recorder:LogRecorder",
        }
    )
    yield application
    application.close()


async def test_the_library_reads_what_we_wrote_appends_and_we_read_that(
    tmp_path: Path, library: "Application[UUID]"
) -> None:
    clock = ManualClock(4_000_000_000_000_000)
    async with SqliteEventStore(tmp_path / "log.db", clock=clock) as store:
        dogs = Repository(store, TOPICS)
        fido = Dog("Fido")
        await dogs.save(fido)

        theirs: Dog = library.repository.get(fido.id)
        theirs.add_trick("roll over")
        (recording,) = library.save(theirs)

        ours = await dogs.get(Dog, fido.id)
        assert (recording.notification.id, recording.notification.originator_version) == (2, 2)
        assert ours is not None
        assert ours.tricks == ["roll over"]
        ours.add_trick("play dead")
        assert await dogs.save(ours) == Appended((3,))
        theirs = library.repository.get(fido.id)
        assert theirs.tricks == ["roll over", "play dead"]
        log = await store.read(0)
        assert len({event.id for event in log}) == 3
        assert [event.time_us - clock.now_us for event in log] == [0, 1, 2]


async def test_the_library_reads_the_log_in_order(
    tmp_path: Path, library: "Application[UUID]"
) -> None:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        stream = uuid4()
        await store.append(some_events(stream, [1, 2, 3]))
        await store.append(Append([an_event(uuid4(), 1, topic="a.b.v1")]))

    def positions(start: int, limit: int, **choice: object) -> list[int]:
        chosen = library.notification_log.select(start, limit, **choice)  # pyright: ignore[reportArgumentType] - passed on as it is
        return [notification.id for notification in chosen]

    assert positions(1, 10) == [1, 2, 3, 4]
    assert positions(1, 10, inclusive_of_start=False) == [2, 3, 4]
    assert positions(1, 2, stop=3) == [1, 2]
    assert positions(1, 10, topics=["a.b.v1"]) == [4]
    assert library.recorder.max_notification_id() == 4


async def test_the_library_is_refused_a_version_that_is_taken(
    tmp_path: Path, library: "Application[UUID]"
) -> None:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        dogs = Repository(store, TOPICS)
        fido = Dog("Fido")
        await dogs.save(fido)
        theirs: Dog = library.repository.get(fido.id)
        fido.add_trick("sit")
        await dogs.save(fido)

        theirs.add_trick("beg")
        with pytest.raises(Exception, match="UNIQUE"):
            library.save(theirs)

        assert await store.head() == 2
