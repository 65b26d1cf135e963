"""What the log in a PostgreSQL database does beyond the contract of event stores."""

import asyncio
from uuid import UUID, uuid4

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.event_chain import NO_LINK, link
from pointsman.eventstore.ports import (
    Append,
    Appended,
    Committed,
    EventStore,
    VersionConflict,
)
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.eventstore.postgres_errors import UnstorableError
from pointsman.eventstore.postgres_reader import PostgresLogReader
from pointsman.testing.waiting import wait_until
from tests.support.log_events import a_command, an_event, some_events
from tests.support.postgres_log import session


def positions(seen: list[Committed]) -> list[int]:
    return [each.recorded.position for each in seen]


async def test_everything_is_there_for_the_next_process(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    stream = uuid4()
    await store.append(Append([an_event(stream, 1)], a_command("m")))

    conflict = await another.append(some_events(stream, [1]))
    following = await another.append(some_events(stream, [2]))

    assert (conflict, following) == (VersionConflict(stream, actual=1), Appended((2,)))
    assert await store.append(some_events(stream, [2])) == VersionConflict(stream, actual=2)
    assert await store.append(some_events(stream, [3])) == Appended((3,))
    assert (await store.identity()).incarnation == (await another.identity()).incarnation


async def test_the_time_of_an_event_is_the_databases(store: PostgresEventStore) -> None:
    await store.append(some_events(uuid4(), [1, 2]))

    times = [event.time_us for event in await store.read(0)]

    assert times == sorted(set(times))


async def test_of_writers_of_one_stream_in_two_processes_each_version_has_one(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    async def write(writer: EventStore, stream: UUID) -> int:
        landed = 0
        for version in range(1, 31):
            answer = await writer.append(some_events(stream, [version]))
            landed += isinstance(answer, Appended)
        return landed

    stream = uuid4()
    landed = await asyncio.gather(write(store, stream), write(another, stream))

    assert sum(landed) == 30
    assert [event.version for event in await store.read_stream(stream)] == list(range(1, 31))


async def test_two_processes_follow_each_other_without_gaps(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    here, there = list[Committed](), list[Committed]()
    await store.follow(here.extend)
    await another.follow(there.extend)

    async def write(writer: EventStore, seen: list[Committed]) -> None:
        for _ in range(40):
            answer = await writer.append(some_events(uuid4(), [1]))
            assert isinstance(answer, Appended)
            assert answer.positions[0] in positions(seen)

    await asyncio.gather(*(write(store, here) for _ in range(4)), write(another, there))

    await wait_until(lambda: len(here) == len(there) == 200)
    assert positions(here) == positions(there) == list(range(1, 201))
    mine = {each.recorded.id for each in here if each.event is not None}
    others = {each.recorded.id for each in there if each.event is not None}
    assert (len(mine), len(others)) == (160, 40)
    assert not mine & others


async def test_an_idle_follower_that_is_woken_hears_of_others_at_once_and_without_soon(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    seen = list[Committed]()
    await store.follow(seen.extend)

    await another.append(some_events(uuid4(), [1]))
    store.wake()
    await wait_until(lambda: positions(seen) == [1])
    await another.append(some_events(uuid4(), [1]))

    await wait_until(lambda: positions(seen) == [1, 2])
    assert [each.event for each in seen] == [None, None]


async def test_who_waits_hears_of_another_process(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    waiting = asyncio.create_task(store.wait_beyond(0, timeout_s=20))
    await asyncio.wait((waiting,), timeout=0)

    await another.append(some_events(uuid4(), [1]))

    assert await waiting


async def test_a_reader_that_tails_many_writers_misses_nothing(
    store: PostgresEventStore, another: PostgresEventStore, database: str
) -> None:
    reader = await PostgresLogReader.open(database)
    seen: list[Recorded] = []

    async def tail() -> None:
        while len(seen) < 16 * 25:
            seen.extend(await reader.read(seen[-1].position if seen else 0, limit=50))

    async def write(writer: EventStore) -> None:
        stream = uuid4()
        for version in range(1, 26):
            await writer.append(some_events(stream, [version]))

    await asyncio.gather(tail(), *(write(each) for each in (store, another) for _ in range(8)))

    assert [event.position for event in seen] == list(range(1, 401))
    await reader.close()


async def test_the_chain_begins_again_behind_what_another_program_has_written(
    store: PostgresEventStore, another: PostgresEventStore, database: str
) -> None:
    async with session(database) as other:
        await store.append(some_events(uuid4(), [1]))
        await another.append(some_events(uuid4(), [1]))
        await other.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
            " VALUES ($1, 1, 'a.b.v1', $2)",
            uuid4(),
            b"{}",
        )
        await store.append(some_events(uuid4(), [1]))
        rows = await other.fetch("SELECT chain FROM stored_events ORDER BY notification_id")

    first, second, _, fourth = await store.read(0)
    assert [row[0] for row in rows] == [
        link(NO_LINK, first),
        link(link(NO_LINK, first), second),
        NO_LINK,
        link(NO_LINK, fourth),
    ]


async def test_what_a_database_cannot_store_fails_its_own_append_alone(
    store: PostgresEventStore,
) -> None:
    appends = [some_events(uuid4(), [1]) for _ in range(4)]
    appends[1] = Append([an_event(uuid4(), 1, tenant="zero \x00 byte")])
    appends[2] = Append([an_event(uuid4(), 1)], a_command("half \ud800 of a character"))

    answers = await asyncio.gather(
        *(store.append(append) for append in appends), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [
        Appended,
        UnstorableError,
        UnstorableError,
        Appended,
    ]
    assert await store.append(some_events(uuid4(), [1])) == Appended((3,))


async def test_who_begins_to_follow_while_others_append_hears_everything_from_there(
    store: PostgresEventStore, another: PostgresEventStore
) -> None:
    async def write(writer: EventStore) -> None:
        for _ in range(40):
            await writer.append(some_events(uuid4(), [1]))

    writing = asyncio.gather(*(write(each) for each in (store, another) for _ in range(4)))
    heard: list[list[Committed]] = []
    for head in (40, 120, 200):
        await store.wait_beyond(head, timeout_s=20)
        heard.append([])
        await store.follow(heard[-1].extend)
    await writing

    await wait_until(lambda: all(positions(each)[-1:] == [320] for each in heard))
    for seen in heard:
        assert positions(seen) == list(range(positions(seen)[0], 321))
