"""Tasks that run in parts, as the view of tasks shows them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from uuid import UUID, uuid4

import hypothesis.strategies as st
import msgspec
from hypothesis import given

from pointsman.contracts.events import Decision, PartsGranted, TaskAccepted, TaskSplit
from pointsman.contracts.parts import Merge, PartsWork, SplitPlan
from pointsman.contracts.queries import ListTasks, TaskRow
from pointsman.contracts.streams import part_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import NewEvent
from pointsman.eventstore.projections import Fact
from pointsman.scheduler.adapters.task_view import TaskProjection, list_tasks, one_task
from tests.support.task_events import (
    NOON,
    PAYLOAD,
    accepted,
    as_recorded,
    attempt_lost,
    completed,
    granted,
    stream_of,
)

WHOLE = UUID("019b7a3e-0000-7000-8000-00000000000a")
PARTS = [part_id(WHOLE, number) for number in (1, 2)]


def of_whole() -> list[Decision]:
    whole = accepted()
    assert isinstance(whole, TaskAccepted)
    plan = SplitPlan(max_bytes=600, merge=Merge.JOIN)
    return [msgspec.structs.replace(whole, split=plan), work(1, PartsWork.SPLIT), split()]


def work(attempt: int, kind: PartsWork) -> Decision:
    return PartsGranted(
        at=NOON + attempt,
        applied_to=1,
        attempt=attempt,
        work=kind,
        executor="executor-1",
        incarnation="i-1",
        timeout_s=60,
    )


def split() -> Decision:
    return TaskSplit(
        at=NOON + 1,
        applied_to=2,
        attempt=1,
        executor="executor-1",
        merge=Merge.JOIN,
        parts=(PAYLOAD, PAYLOAD),
    )


def of_part(number: int) -> list[Decision]:
    part = accepted()
    assert isinstance(part, TaskAccepted)
    return [
        msgspec.structs.replace(part, parent=str(WHOLE), part=number),
        granted(),
        completed(),
    ]


def life() -> list[NewEvent]:
    whole = stream_of(WHOLE, of_whole())
    parts = [each for n, part in enumerate(PARTS, 1) for each in stream_of(part, of_part(n))]
    merging = [work(2, PartsWork.MERGE), attempt_lost(2), work(3, PartsWork.MERGE)]
    merging += [completed(3, device="", variant="")]
    return [*whole, *parts, *stream_of(WHOLE, merging, after=3)]


def shown(events: Sequence[NewEvent], cuts: Sequence[int] = ()) -> sqlite3.Connection:
    """The table after events that came in several batches."""
    db, view, codec = sqlite3.connect(":memory:"), TaskProjection(), EventCodec()
    view.create(db)
    facts = [
        Fact(recorded, TaskProjection.codec.decode(recorded.type, bytes(recorded.data)))
        for recorded in as_recorded(events)
        if recorded.type.rpartition(".v")[0] in view.topics
    ]
    assert codec.names([PartsGranted, TaskSplit]) <= view.topics
    for start, end in pairwise([0, *cuts, len(facts)]):
        view.apply(db, facts[start:end])
    return db


def row_of(events: Sequence[NewEvent], task: UUID = WHOLE) -> TaskRow:
    with closing(shown(events)) as db:
        row = one_task(db, task)
    assert row is not None
    return row


def test_a_task_is_split_from_its_cut_to_its_end() -> None:
    whole = life()

    states = [row_of([e for e in whole[:n] if e.stream == WHOLE]).state for n in (1, 2, 3)]
    merging = [row_of(whole[:n]).state for n in range(9, len(whole) + 1)]

    assert states == ["queued", "granted", "split"]
    assert merging == ["split", "split", "split", "split", "completed"]


def test_a_whole_tells_how_many_parts_it_has_and_a_part_whose_it_is() -> None:
    whole, part = row_of(life()), row_of(life(), PARTS[1])

    assert (whole.parts, whole.parent, whole.part) == (2, None, 0)
    assert (part.parts, part.parent, part.part) == (0, WHOLE, 2)


def test_parts_are_listed_for_whoever_asks_for_them() -> None:
    other = stream_of(uuid4(), [accepted()])
    with closing(shown([*life(), *other])) as db:
        plain = list_tasks(db, ListTasks())
        everything = list_tasks(db, ListTasks(parts=True))
        of_one = list_tasks(db, ListTasks(parent=WHOLE))

    assert [row.task for row in plain] == [other[0].stream, WHOLE]
    assert len(everything) == 4
    assert [row.task for row in of_one] == PARTS[::-1]


@given(cuts=st.lists(st.integers(0, 13), max_size=6).map(sorted))
def test_the_rows_do_not_depend_on_how_the_log_is_cut(cuts: list[int]) -> None:
    with closing(shown(life())) as whole, closing(shown(life(), cuts)) as again:
        asked = ListTasks(parts=True)
        assert list_tasks(again, asked) == list_tasks(whole, asked)
