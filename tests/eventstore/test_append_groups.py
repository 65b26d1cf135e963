"""Groups of appends as the writer thread executes them, against the plain store in memory."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import schema
from pointsman.eventstore.log_transaction import Job, LogTransaction
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Appended,
    Committed,
    EventIdInUseError,
    Fenced,
    Leadership,
    TakeOver,
    VersionConflict,
)
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.log_events import ManualClock, a_command, an_event, some_events

STREAMS = [UUID(int=n) for n in range(1, 4)]

events = st.builds(
    an_event,
    stream=st.sampled_from(STREAMS),
    version=st.integers(1, 4),
    # Few ids, so that repetitions and defects of writers occur.
    id=st.one_of(st.none(), st.integers(1, 12).map(lambda n: UUID(int=n))),
)
appends = st.builds(
    Append,
    st.lists(events, max_size=3),
    st.one_of(
        st.none(),
        st.builds(a_command, st.sampled_from("mn"), request=st.sampled_from([b"1", b"2"])),
    ),
    st.one_of(st.none(), st.builds(Leadership, st.just("pool"), st.integers(1, 2))),
)
elections = st.builds(
    Append,
    st.lists(events, max_size=1),
    take_over=st.builds(
        TakeOver, st.just("pool"), st.sampled_from("ab"), st.integers(1, 3), st.just(60.0)
    ),
)
groups = st.lists(
    st.lists(st.one_of(appends, appends, elections), min_size=1, max_size=8), max_size=8
)


class Log:
    """The tables of a log in memory, with the transaction under test."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        schema.create_tables(self.connection, Path("memory"))
        self.announced: list[Committed] = []
        self.transaction = LogTransaction(self.announced.extend, ManualClock())

    def commit(self, jobs: Sequence[Job]) -> list[object]:
        self.connection.execute("BEGIN IMMEDIATE")
        batch = self.transaction.run(self.connection, jobs)
        self.connection.execute("COMMIT")
        if batch.announce is not None:
            batch.announce()
        return list(batch.answers)

    def events(self) -> list[tuple[int, str, int, bytes]]:
        return self.connection.execute(
            "SELECT notification_id, originator_id, originator_version, event_id"
            " FROM stored_events ORDER BY notification_id"
        ).fetchall()


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    with closing(log.connection):
        yield log


def plain(answer: object) -> object:
    """Errors compare by identity; what counts is their kind."""
    return type(answer) if isinstance(answer, Exception) else answer


def row(event: Recorded) -> tuple[int, str, int, bytes]:
    return event.position, event.stream.hex, event.version, event.id.bytes


@given(groups)
async def test_groups_get_the_answers_and_the_log_of_the_plain_store(
    groups: list[list[Append]],
) -> None:
    log, model = Log(), MemoryEventStore(clock=ManualClock())

    with closing(log.connection):
        for group in groups:
            expected: list[AppendAnswer | Exception] = model.commit(group)
            assert [plain(a) for a in log.commit(group)] == [plain(a) for a in expected]

        recorded = await model.read(0)
        assert log.events() == [row(event) for event in recorded]
        assert [each.recorded for each in log.announced] == list(recorded)


def test_what_follows_a_refused_append_of_its_stream_is_refused_too(log: Log) -> None:
    stream, other = STREAMS[:2]
    log.commit([some_events(stream, [1, 2])])

    answers = log.commit(
        [some_events(stream, [5]), some_events(stream, [3]), some_events(other, [1])]
    )

    refused = VersionConflict(stream, actual=2)
    assert answers == [refused, refused, Appended((3,))]
    assert log.commit([some_events(stream, [3])]) == [Appended((4,))]


def test_a_repetition_in_the_same_group_gets_the_same_positions(log: Log) -> None:
    append = some_events(STREAMS[0], [1, 2])

    assert log.commit([append, append]) == [Appended((1, 2)), Appended((1, 2))]


def test_a_taken_event_id_fails_its_own_append_alone(log: Log) -> None:
    taken = an_event(STREAMS[0], 1)
    log.commit([Append([taken])])

    answers = log.commit(
        [
            some_events(STREAMS[1], [1]),
            Append([an_event(STREAMS[2], 1, id=taken.id)]),
            some_events(STREAMS[2], [1]),
            some_events(STREAMS[1], [2]),
        ]
    )

    assert [plain(answer) for answer in answers] == [
        Appended((2,)),
        EventIdInUseError,
        VersionConflict(STREAMS[2], actual=0),
        Appended((3,)),
    ]


def test_a_new_leader_fences_the_appends_behind_it_in_the_same_group(log: Log) -> None:
    append = Append([an_event(STREAMS[0], 1)], leadership=Leadership("pool", 1))
    later = Append([an_event(STREAMS[0], 2)], leadership=Leadership("pool", 1))
    a, b = (
        Append([], take_over=TakeOver("pool", holder, epoch, ttl_s=60))
        for epoch, holder in enumerate("ab", start=1)
    )

    answers = log.commit([a, append, b, later])

    assert answers == [Appended(()), Appended((1,)), Appended(()), Fenced(2)]


def test_groups_larger_than_one_statement_are_complete(log: Log) -> None:
    streams = [UUID(int=n) for n in range(100, 170)]
    group = [
        Append([an_event(stream, 1), an_event(stream, 2)], a_command(stream.hex))
        for stream in streams
    ]

    answers = log.commit(group)

    assert answers == [Appended((2 * n + 1, 2 * n + 2)) for n in range(70)]
    assert len(log.events()) == 140
    log.transaction.forget()
    assert log.commit([some_events(stream, [3]) for stream in streams]) == [
        Appended((141 + n,)) for n in range(70)
    ]


def test_no_group_reads_a_whole_table(log: Log) -> None:
    stream = STREAMS[0]
    group = [Append([an_event(stream, 1)], a_command("m"))]
    group += [Append([an_event(UUID(int=n), 1)], a_command(str(n))) for n in range(100, 120)]
    statements: list[str] = []

    log.connection.set_trace_callback(statements.append)
    log.commit(group)
    log.commit(group)
    log.connection.set_trace_callback(None)

    plans = [
        (statement, step)
        for statement in statements
        if statement.startswith(("SELECT", "WITH")) and "LIMIT 1" not in statement
        for (*_, step) in log.connection.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert len(plans) >= 6
    assert not [plan for plan in plans if "SCAN stored_events" in plan[1]]
    assert not [
        plan for plan in plans if "SEARCH inbox" in plan[1] and "message_id=?" not in plan[1]
    ]
    assert not [plan for plan in plans if "SCAN inbox" in plan[1]]
