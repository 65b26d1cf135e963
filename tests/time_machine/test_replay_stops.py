"""A log that cannot be read to its end is decided again up to there."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from pointsman.contracts.events import LeaderElected
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.log_rows import LogRow, row_pages
from pointsman.eventstore.ports import Append, NewEvent
from pointsman.time_machine.moments import EmptyLogError
from pointsman.time_machine.pool_log import pools_of
from pointsman.time_machine.replay.folding import fold_log
from pointsman.time_machine.replay.report import verify_log
from pointsman.time_machine.replay.verification import Verification
from tests.support.busy_day import busy_day
from tests.support.ended_tasks import fill
from tests.support.log_rows import rows_of

DAY: Final = rows_of(busy_day(3, 80).history.entries)
MOST_TOGETHER: Final = 4
"""Events of that day that were decided on the same state at the same time."""
_SQLITE_PAGE: Final = 4096


def verified(rows: Sequence[LogRow], *, page: int = 100) -> Verification:
    verification = Verification("main")
    for start in range(0, len(rows), page):
        verification.take(rows[start : start + page])
    verification.end()
    return verification


def damaged(rows: Sequence[LogRow], place: int, state: bytes = b'{"at": 1') -> list[LogRow]:
    """The same rows with other bytes in one of them."""
    position, stream, version, topic, time_us, _ = rows[place]
    return [*rows[:place], (position, stream, version, topic, time_us, state), *rows[place + 1 :]]


@pytest.mark.parametrize("page", [1, 100])
def test_what_stands_before_damage_is_decided_again(page: int) -> None:
    for place, row in enumerate(DAY):
        whole = verified(DAY[:place])

        again = verified(damaged(DAY, place), page=page)

        # What was decided together with the event before the damage may go on behind it.
        assert whole.verified - MOST_TOGETHER <= again.verified <= whole.verified
        assert again.differences == []
        assert again.events == place
        assert again.stopped is not None
        assert (again.stopped.position, again.stopped.code) == (row[0], "unreadable_event")


def test_the_next_step_after_damage_is_to_verify() -> None:
    stopped = verified(damaged(DAY, 50)).stopped

    assert stopped is not None
    assert "`pointsman verify`" in stopped.next_step
    assert stopped.reason.endswith("cannot be read: Input data was truncated")


@pytest.mark.parametrize(("first", "last"), [(0, 3), (10, 11), (50, 54)])
def test_events_that_were_taken_out_are_missed(first: int, last: int) -> None:
    whole = verified(DAY[:first]) if first else None

    again = verified([*DAY[:first], *DAY[last:]])

    assert again.stopped is not None
    assert (again.stopped.position, again.stopped.code) == (first + 1, "events_missing")
    assert "pointsman verify" in again.stopped.next_step
    assert again.events == first
    assert again.verified <= (whole.verified if whole is not None else 0)


async def test_a_log_without_its_beginning_or_any_event_is_no_log_that_agrees(
    tmp_path: Path,
) -> None:
    log, empty = tmp_path / "log.db", tmp_path / "empty.db"
    async with SqliteEventStore(log) as store:
        await fill(store)
    async with SqliteEventStore(empty):
        pass
    with closing(sqlite3.connect(log)) as db, db:
        db.execute("DELETE FROM stored_events WHERE notification_id <= 2")

    report = verify_log(log)
    with pytest.raises(EmptyLogError):
        verify_log(empty)

    assert report["stopped"] is not None
    assert (report["stopped"].position, report["stopped"].code) == (1, "events_missing")


def test_the_next_step_after_an_event_of_a_newer_release_is_to_upgrade() -> None:
    position, stream, version, _, time_us, state = DAY[50]
    newer: LogRow = (position, stream, version, "task.granted.v9", time_us, state)

    stopped = verified([*DAY[:50], newer, *DAY[51:]]).stopped

    assert stopped is not None
    assert (stopped.position, stopped.code) == (position, "newer_event")
    assert "Upgrade" in stopped.next_step


@pytest.fixture(name="log")
def a_long_log(tmp_path: Path) -> Path:
    """A day of a pool that is led, and much more that is of no concern to it."""
    path = tmp_path / "log.db"

    async def record() -> None:
        codec, elected = EventCodec(), LeaderElected(0.0, 0, pool="main", epoch=1, holder="here")
        async with SqliteEventStore(path) as store:
            await fill(store)
            stream = stream_id("pool", "main")
            topic, state = codec.topic(elected), codec.encode(elected)
            await store.append(Append([NewEvent(uuid4(), stream, 1, topic, state, elected)]))
            noise = b'"' + b"x" * 2_000 + b'"'
            for _ in range(60):
                other = NewEvent(uuid4(), uuid4(), 1, "conversation.started.v1", noise, elected)
                await store.append(Append([other]))

    asyncio.run(record())
    return path


def overwrite(log: Path, *, share: float) -> None:
    """Damage the file some way in; whoever reads it in order gets that far."""
    at = int(log.stat().st_size * share) // _SQLITE_PAGE * _SQLITE_PAGE
    with log.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 4 * _SQLITE_PAGE)


def test_a_file_that_is_damaged_is_verified_up_to_the_damage(log: Path) -> None:
    whole = verify_log(log)
    overwrite(log, share=0.8)

    report, folded = verify_log(log), fold_log(log)

    assert report["stopped"] is not None
    assert (folded["stopped"], folded["events"]) == (report["stopped"], report["events"])
    assert report["stopped"].code == "log_unreadable"
    assert report["stopped"].position == report["events"] + 1 < whole["events"]
    assert (report["verified"], report["different"]) == (whole["verified"], 0)
    assert pools_of(log) == ["main"]


def test_every_row_before_the_damage_is_read(log: Path) -> None:
    overwrite(log, share=0.8)
    read: list[int] = []

    def read_all() -> None:
        for page in row_pages(log):
            read.extend(row[0] for row in page)

    with pytest.raises(LogUnreadableError):
        read_all()

    assert read == list(range(1, len(read) + 1))
    assert len(read) > len(DAY) // 2


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"nothing that a log would begin with")

    with pytest.raises(LogUnreadableError):
        verify_log(tmp_path / "log.db")
