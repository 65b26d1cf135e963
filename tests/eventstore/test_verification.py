"""A log that was changed by anybody but its writer is found out, down to the event."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.eventstore import LogUnreadableError, SqliteEventStore
from pointsman.eventstore.log_file import linked_pages
from pointsman.eventstore.verification import ChainCheck, LinkedEvent
from tests.support.log_events import some_events

EVENTS = 12


def write_log(path: Path) -> None:
    async def write() -> None:
        async with SqliteEventStore(path) as store:
            for _ in range(EVENTS // 3):
                await store.append(some_events(uuid4(), [1, 2, 3]))

    asyncio.run(write())


def check(path: Path) -> ChainCheck:
    found = ChainCheck()
    for page in linked_pages(path):
        found.take(page)
    return found


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as log:
        assert log.execute(statement, values).rowcount == 1


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[LinkedEvent]:
    path = tmp_path_factory.mktemp("log") / "log.db"
    write_log(path)
    return [linked for page in linked_pages(path) for linked in page]


def test_what_was_written_fits(tmp_path: Path) -> None:
    write_log(tmp_path / "log.db")

    found = check(tmp_path / "log.db")

    assert found.broken is None
    assert (found.events, found.position, found.unlinked) == (EVENTS, EVENTS, 0)


@pytest.mark.parametrize(
    "column",
    ["state", "event_id", "tenant", "topic", "recorded_at", "leader_epoch", "originator_version"],
)
def test_a_changed_event_is_named_whatever_was_changed(tmp_path: Path, column: str) -> None:
    path = tmp_path / "log.db"
    write_log(path)
    value = {"tenant": "other", "topic": "task.failed.v1", "state": b"{}", "event_id": b"1" * 16}
    change(
        path,
        f"UPDATE stored_events SET {column} = ? WHERE notification_id = 7",  # noqa: S608 - names of the table's own columns
        value.get(column, 99),
    )

    broken = check(path).broken

    assert broken is not None
    assert broken.position == 7


def test_one_flipped_bit_in_the_bytes_of_an_event_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    write_log(path)
    with closing(sqlite3.connect(path)) as log:
        (state,) = log.execute(
            "SELECT state FROM stored_events WHERE notification_id = 5"
        ).fetchone()
    flipped = bytes([state[0] ^ 1]) + state[1:]
    change(path, "UPDATE stored_events SET state = ? WHERE notification_id = 5", flipped)

    broken = check(path).broken

    assert broken is not None
    assert broken.position == 5


def test_a_removed_event_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    write_log(path)
    change(path, "DELETE FROM stored_events WHERE notification_id = ?", 4)

    broken = check(path).broken

    assert broken is not None
    assert broken.position == 5
    assert broken.reason == "event 4 is gone"


def test_a_link_that_was_made_to_fit_breaks_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    write_log(path)
    change(path, "UPDATE stored_events SET chain = ? WHERE notification_id = 3", b"x" * 16)

    broken = check(path).broken

    assert broken is not None
    assert broken.position == 3


def test_a_file_that_is_no_log_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"something else, and long enough to have a header" * 100)

    with pytest.raises(LogUnreadableError):
        check(path)


@given(first=st.integers(0, EVENTS - 1), second=st.integers(0, EVENTS - 1))
def test_events_that_changed_places_are_found(
    events: list[LinkedEvent], first: int, second: int
) -> None:
    turned = list(events)
    turned[first], turned[second] = turned[second], turned[first]

    found = ChainCheck()
    found.take(turned)

    assert (found.broken is None) == (first == second)
