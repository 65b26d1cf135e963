"""A log that is folded alone ends where a verification of it ends."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.log_rows import LogRow
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.moments import EmptyLogError, Moment
from pointsman.time_machine.replay.folding import Folding, fold_log
from pointsman.time_machine.replay.verification import Verification
from pointsman.time_machine.states.past_state import described
from tests.support.busy_day import busy_day
from tests.support.ended_tasks import fill
from tests.support.log_rows import rows_of

DAY: Final = rows_of(busy_day(3, 80).history.entries)


def pages(rows: Sequence[LogRow], size: int) -> list[list[LogRow]]:
    return [list(rows[start : start + size]) for start in range(0, len(rows), size)]


def folded(rows: Sequence[LogRow], *, page: int = 100) -> Folding:
    folding = Folding("main")
    folding.run(pages(rows, page))
    return folding


@cache
def state_of_a_verification() -> object:
    verification = Verification("main")
    for page in pages(DAY, 100):
        verification.take(page)
    verification.end()
    return state(verification.pool)


def state(pool: Pool) -> object:
    moment = Moment(pool.applied_to, DAY[-1][4] / 1e6)
    return {**described(pool, moment), "seconds": 0.0}


@given(page=st.integers(1, 200))
def test_pages_of_any_size_lead_to_the_state_of_a_verification(page: int) -> None:
    folding = folded(DAY, page=page)

    assert folding.stopped is None
    assert folding.read_to == DAY[-1][0]
    assert state(folding.pool) == state_of_a_verification()


@given(place=st.integers(0, len(DAY) - 1), page=st.integers(1, 200))
def test_damage_ends_a_fold_where_it_ends_a_verification(place: int, page: int) -> None:
    position, stream, version, topic, time_us, _ = DAY[place]
    bad = (position, stream, version, topic, time_us, b'{"at": 1')

    folding = folded([*DAY[:place], bad, *DAY[place + 1 :]], page=page)

    assert folding.stopped is not None
    assert (folding.stopped.position, folding.stopped.code) == (position, "unreadable_event")
    assert folding.stopped.type == topic
    assert folding.read_to == place


@given(first=st.integers(0, len(DAY) - 3), count=st.integers(1, 2), page=st.integers(1, 200))
def test_events_that_were_taken_out_are_missed(first: int, count: int, page: int) -> None:
    folding = folded([*DAY[:first], *DAY[first + count :]], page=page)

    assert folding.stopped is not None
    assert (folding.stopped.position, folding.stopped.code) == (first + 1, "events_missing")
    assert folding.read_to == first


def test_an_event_that_follows_from_no_state_is_named() -> None:
    position, stream, version, topic, time_us, body = next(
        row for row in DAY if row[3].startswith("task.granted.")
    )
    elsewhere = re.sub(rb'"device":"[^"]*"', b'"device":"elsewhere"', body, count=1)
    granted = (position, stream, version, topic, time_us, elsewhere)

    folding = folded([*DAY[: position - 1], granted, *DAY[position:]])

    assert folding.stopped is not None
    assert (folding.stopped.position, folding.stopped.code) == (position, "does_not_fit")
    assert folding.stopped.type == topic


async def test_a_log_that_nobody_led_is_read_to_its_end_and_an_empty_one_refused(
    tmp_path: Path,
) -> None:
    log, empty = tmp_path / "log.db", tmp_path / "empty.db"
    async with SqliteEventStore(log) as store:
        await fill(store)
        head = await store.head()
    async with SqliteEventStore(empty):
        pass

    report = fold_log(log)

    assert (report["pools"], report["events"], report["stopped"]) == ([], head, None)
    with pytest.raises(EmptyLogError):
        fold_log(empty)
