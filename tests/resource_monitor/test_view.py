"""Counts and qualities from the log: rebuilt equal, however the log is cut."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import hypothesis.strategies as st
from hypothesis import given

from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.resource_monitor import FamilyTasks, VariantQuality
from pointsman.eventstore import Append, SqliteEventStore
from pointsman.eventstore.projections import Fact, LogSource
from pointsman.resource_monitor.adapters.task_projection import (
    TaskProjection,
    family_tasks,
    open_tasks,
    recent_quality,
    variant_quality,
)
from pointsman.resource_monitor.ports import OpenTask, RatedVariant
from tests.eventstore.projecting import following
from tests.resource_monitor.fakes import FeedLog, accepted, as_new, completion, failure, rating
from tests.support.task_events import attempt_lost, cancelled, expired, granted

NOON = 1_767_268_800.0
LIVES: list[list[Decision]] = [
    [accepted()],
    [accepted("embed"), granted()],
    [accepted(), granted(), completion()],
    [accepted("embed"), granted(), attempt_lost(), granted(2), failure()],
    [accepted(), cancelled()],
    [accepted(), expired()],
    [rating(0.9), rating(0.4, variant="small"), rating(0.7)],
]


class Contents(NamedTuple):
    families: list[FamilyTasks]
    opened: list[OpenTask]
    recent: list[RatedVariant]
    quality: list[VariantQuality]


def contents(db: sqlite3.Connection) -> Contents:
    return Contents(family_tasks(db), open_tasks(db), recent_quality(db), variant_quality(db))


def view_of(events: Sequence[Recorded], cuts: Sequence[int] = ()) -> Contents:
    projection = TaskProjection()
    relevant = [event for event in events if event.type.rpartition(".")[0] in projection.topics]
    facts = [Fact(event, projection.codec.decode(event.type, event.data)) for event in relevant]
    edges = sorted({0, len(facts), *(min(cut, len(facts)) for cut in cuts)})
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        projection.create(db)
        for start, end in pairwise(edges):
            projection.apply(db, facts[start:end])
        return contents(db)


def log_of(lives: Sequence[Sequence[Decision]]) -> list[Recorded]:
    log = FeedLog()
    for life in lives:
        stream = uuid4()
        for event in life:
            log.add(NOON + len(log.events) * 900, event, stream)
    return log.events


def test_tasks_are_counted_by_family_and_end() -> None:
    found = view_of(log_of(LIVES))

    assert found.families == [
        FamilyTasks(family="embed", accepted=2, open=1, failed=1),
        FamilyTasks(family="summarize", accepted=4, open=1, completed=1, cancelled=1, expired=1),
    ]
    assert [(task.pool, task.priority_class) for task in found.opened] == [("main", "standard")] * 2


def test_the_latest_quality_of_each_variant_is_shown() -> None:
    quality = view_of(log_of(LIVES)).quality

    assert [(each.variant, each.mean) for each in quality] == [("large", 0.7), ("small", 0.4)]


def test_a_variant_whose_ratings_were_all_withdrawn_has_no_quality_to_show() -> None:
    life = [rating(0.9), rating(0.4, variant="small"), rating(0.0, ratings=0, variant="small")]

    found = view_of(log_of([life]))

    assert [each.variant for each in found.quality] == ["large"]
    assert [each.measured.ratings for each in found.recent] == [10, 10, 0]


def test_quality_older_than_the_window_is_kept_only_where_it_still_held() -> None:
    log = FeedLog()
    for minutes, mean in ((0, 0.1), (10, 0.2), (20, 0.3), (85, 0.4)):
        log.add(NOON + minutes * 60, rating(mean))

    quality = view_of(log.events).recent

    assert [each.measured.mean for each in quality] == [0.3, 0.4]


@given(st.lists(st.sampled_from(LIVES), max_size=8), st.lists(st.integers(0, 40), max_size=6))
def test_the_view_does_not_depend_on_how_the_log_is_cut(
    lives: list[list[Decision]], cuts: list[int]
) -> None:
    events = log_of(lives)

    assert view_of(events, cuts) == view_of(events, range(len(events)))


async def test_a_rebuilt_view_equals_the_old_one(tmp_path: Path) -> None:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        for life in LIVES * 5:
            stream: UUID = uuid4()
            new = [as_new(stream, version, event) for version, event in enumerate(life, 1)]
            await store.append(Append(new))
        head = await store.head()

        async with following(TaskProjection(), tmp_path, LogSource(store)) as runner:
            assert await runner.caught_up(head, timeout_s=20)
            before = read(runner.path)
            await runner.rebuild()
            assert await runner.caught_up(head, timeout_s=20)
            rebuilt = read(runner.path)
        for file in (tmp_path / "views").iterdir():
            file.unlink()
        async with following(TaskProjection(), tmp_path, LogSource(store)) as runner:
            assert await runner.caught_up(head, timeout_s=20)
            anew = read(runner.path)

    assert before == rebuilt == anew
    assert len(str(before)) > 500


def read(path: Path) -> Contents:
    with closing(sqlite3.connect(path)) as db:
        return contents(db)
