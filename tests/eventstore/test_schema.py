"""A log that an earlier release made is brought to this one; the chain of its events begins."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import (
    Appended,
    LogSchemaError,
    SqliteEventStore,
    SqliteLogReader,
    schema,
)
from pointsman.eventstore.event_chain import LINK_BYTES, NO_LINK, link
from tests.support.log_events import NOON_US, some_events

FIRST_SCHEMA = Path(__file__).parents[1] / "data" / "log_schema_1.sql"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def a_first_log(path: Path, *, events: int = 0) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(FIRST_SCHEMA.read_text("utf-8"))
        connection.execute("PRAGMA user_version = 1")
        connection.executemany(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state,"
            " recorded_at) VALUES (?, 1, 'a.b.v1', x'7b7d', ?)",
            [(uuid4().hex, NOON_US + n) for n in range(events)],
        )


def links_of(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT chain FROM stored_events ORDER BY notification_id")
        return [chain for (chain,) in rows]


def links(events: list[Recorded]) -> Iterator[bytes]:
    chain = NO_LINK
    for event in events:
        chain = link(chain, event)
        yield chain


async def test_a_first_log_is_migrated_and_goes_on(path: Path) -> None:
    a_first_log(path, events=2500)

    async with SqliteEventStore(path) as store:
        assert await store.append(some_events(uuid4(), [1, 2])) == Appended((2501, 2502))
        assert await store.identity()
        events = list(await store.read(0, limit=3000))

    assert links_of(path) == list(links(events))


async def test_a_migrated_log_keeps_its_incarnation(path: Path) -> None:
    a_first_log(path)
    async with SqliteEventStore(path) as store:
        before = await store.identity()

    async with SqliteEventStore(path) as store:
        assert await store.identity() == before


def test_a_migration_that_fails_leaves_the_log_as_it_was(path: Path) -> None:
    a_first_log(path, events=3)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # The migration finds a table of the name that it wants to use.
        connection.execute("CREATE TABLE log_meta (other)")

    with pytest.raises(sqlite3.OperationalError):
        SqliteEventStore(path)

    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(stored_events)")]
        assert "chain" not in columns
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_reader_does_not_migrate(path: Path) -> None:
    a_first_log(path)

    with pytest.raises(LogSchemaError, match="Start the services") as caught:
        SqliteLogReader(path)

    assert (caught.value.found, caught.value.known) == (1, schema.SCHEMA_VERSION)


async def test_the_chain_goes_on_after_a_restart(path: Path) -> None:
    async with SqliteEventStore(path) as store:
        await store.append(some_events(uuid4(), [1, 2, 3]))
    async with SqliteEventStore(path) as store:
        await store.append(some_events(uuid4(), [1, 2, 3]))
        events = list(await store.read(0))

    assert links_of(path) == list(links(events))
    assert {len(each) for each in links_of(path)} == {LINK_BYTES}


async def test_the_chain_begins_again_behind_what_another_program_has_written(path: Path) -> None:
    async with SqliteEventStore(path) as store:
        await store.append(some_events(uuid4(), [1]))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
                " VALUES (?, 1, 'a.b.v1', x'7b7d')",
                (uuid4().hex,),
            )
        await store.append(some_events(uuid4(), [1]))
        first, _, third = await store.read(0)

    assert links_of(path) == [link(NO_LINK, first), NO_LINK, link(NO_LINK, third)]


def test_a_link_depends_on_everything_that_is_recorded() -> None:
    event = Recorded(1, uuid4(), uuid4(), 1, "a.b.v1", NOON_US, "acme", 3, msgspec.Raw(b"{}"))
    changes: list[dict[str, object]] = [
        {"position": 2},
        {"id": uuid4()},
        {"stream": uuid4()},
        {"version": 2},
        {"type": "a.b.v"},
        {"time_us": NOON_US + 1},
        {"tenant": "1acme"},
        {"epoch": 4},
        {"data": msgspec.Raw(b"{ }")},
    ]

    others = [link(NO_LINK, msgspec.structs.replace(event, **change)) for change in changes]

    assert len({link(NO_LINK, event), link(b"another", event), *others}) == len(changes) + 2
