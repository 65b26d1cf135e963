"""What the scheduler knows of tasks and dead letters without asking the log."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

from pointsman.contracts.bulk import AskBulk
from pointsman.contracts.events import Decision
from pointsman.contracts.queries import ListDeadLetters, ListTasks, TaskRow
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import Append, NewEvent, SqliteEventStore
from pointsman.eventstore.log_tail import LogTail
from pointsman.eventstore.projections import Fact
from pointsman.scheduler.adapters.task_view import TaskProjection, list_tasks
from pointsman.scheduler.adapters.views import OnStopped, TaskViews
from pointsman.testing.waiting import wait_until
from tests.support.task_events import (
    NOON,
    PAYLOAD,
    RESULT,
    a_plain_life,
    accepted,
    as_recorded,
    attempt_lost,
    cancelled,
    completed,
    dead_letter,
    expired,
    failed,
    granted,
    record,
    record_lives,
    redriven,
    stream_of,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteEventStore]:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        yield store


@asynccontextmanager
async def following(
    data: Path, store: SqliteEventStore, *, on_stopped: OnStopped | None = None
) -> AsyncGenerator[TaskViews]:
    views = TaskViews(data, await LogTail.following(store), on_stopped=on_stopped)
    task = asyncio.create_task(views.run())
    try:
        yield views
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await views.close()


@pytest.fixture
async def views(tmp_path: Path, store: SqliteEventStore) -> AsyncGenerator[TaskViews]:
    async with following(tmp_path, store) as views:
        yield views


async def a_task(
    store: SqliteEventStore,
    views: TaskViews,
    decisions: Sequence[Decision],
    *,
    tenant: str = "acme",
) -> UUID:
    """Append the events of one task and wait until the views show them."""
    task = uuid4()
    position = await record(store, stream_of(task, decisions, tenant=tenant))
    assert await views.caught_up(position, timeout_s=20)
    return task


async def test_a_completed_task_is_shown_with_all_that_is_known(
    store: SqliteEventStore, views: TaskViews
) -> None:
    task = await a_task(store, views, [accepted(), granted(), completed()])

    assert await views.task(task) == TaskRow(
        task=task,
        tenant="acme",
        family="summarize",
        priority_class="standard",
        state="completed",
        accepted_at=NOON,
        position=3,
        attempts=1,
        device="cpu-0",
        variant="large",
        queue_s=1.0,
        run_s=0.5,
        ended_at=NOON + 2,
        message_id="m-1",
        source="/tests",
        payload=PAYLOAD,
        result=RESULT,
        pool="main",
    )


@pytest.mark.parametrize(
    ("last", "state", "code", "detail"),
    [
        (failed(), "failed", "engine_error", "NaN"),
        (cancelled(), "cancelled", "cancelled", "ada"),
        (cancelled("no longer needed"), "cancelled", "cancelled", "by ada: no longer needed"),
        (expired(), "expired", "expired", "too late"),
    ],
)
async def test_a_task_that_ended_without_result_says_why(
    last: Decision, state: str, code: str, detail: str, store: SqliteEventStore, views: TaskViews
) -> None:
    task = await a_task(store, views, [accepted(), granted(), last])

    row = await views.task(task)

    assert row is not None
    assert (row.state, row.code, row.detail, row.result) == (state, code, detail, None)
    assert row.ended_at == NOON + 3


async def test_a_lost_attempt_puts_its_task_back_into_the_queue(
    store: SqliteEventStore, views: TaskViews
) -> None:
    task = await a_task(store, views, [accepted(), granted(), attempt_lost()])
    waiting = await views.task(task)
    again = [granted(2, device="cpu-1", variant="small"), completed(2, device="cpu-1")]
    position = await record(store, stream_of(task, again, after=3))
    assert await views.caught_up(position, timeout_s=20)

    done = await views.task(task)

    assert waiting is not None
    assert (waiting.state, waiting.attempts, waiting.ended_at) == ("queued", 1, None)
    assert done is not None
    assert (done.state, done.attempts, done.device) == ("completed", 2, "cpu-1")


async def test_tasks_are_listed_newest_first_by_every_filter(
    store: SqliteEventStore, views: TaskViews
) -> None:
    first = await a_task(store, views, [accepted(), cancelled()])
    second = await a_task(store, views, [accepted(tenant="globex", family="embed")])
    third = await a_task(store, views, [accepted(family="embed"), granted()])

    async def listed(query: ListTasks) -> list[UUID]:
        return [row.task for row in await views.tasks(query)]

    assert await listed(ListTasks()) == [third, second, first]
    assert await listed(ListTasks(limit=2)) == [third, second]
    assert await listed(ListTasks(limit=-1)) == [third]
    assert await listed(ListTasks(family="embed")) == [third, second]
    assert await listed(ListTasks(tenant="globex")) == [second]
    assert await listed(ListTasks(state="cancelled")) == [first]
    assert await listed(ListTasks(tenant="acme", family="embed", state="granted")) == [third]
    assert await listed(ListTasks(tenant="' OR true --")) == []


async def test_the_tasks_of_a_bulk_are_counted_by_state(
    store: SqliteEventStore, views: TaskViews
) -> None:
    def of_bulk() -> Decision:
        return replace(accepted(), bulk="backfill")

    await a_task(store, views, [of_bulk(), granted(), completed()])
    await a_task(store, views, [of_bulk(), cancelled()])
    await a_task(store, views, [of_bulk()])
    await a_task(store, views, [of_bulk()])
    for other in {"tenant": "globex"}, {"pool": "second"}, {"parent": "whole"}, {"bulk": ""}:
        await a_task(store, views, [replace(of_bulk(), **other)])

    counted = await views.bulk("main", AskBulk(tenant="acme", bulk="backfill"))

    assert counted == {"completed": 1, "cancelled": 1, "queued": 2}
    assert await views.bulk("main", AskBulk(tenant="acme", bulk="another")) == {}


async def test_a_task_that_nobody_submitted_is_none(views: TaskViews) -> None:
    assert await views.task(uuid4()) is None
    assert await views.tasks(ListTasks()) == []


async def test_dead_letters_are_listed_newest_first_with_their_redrive(
    store: SqliteEventStore, views: TaskViews
) -> None:
    task = uuid4()
    first = await a_task(store, views, [dead_letter("m-1"), redriven(task)])
    second = await a_task(store, views, [dead_letter("m-2")], tenant="globex")

    newer, older = await views.dead_letters(ListDeadLetters())

    assert (newer.dead_letter, newer.message_id, newer.tenant) == (second, "m-2", "globex")
    assert (newer.redriven_by, newer.position, newer.deliveries) == (None, 3, 5)
    assert (older.dead_letter, older.redriven_by) == (first, "ada")
    assert older.redriven_task == str(task)
    assert [row.dead_letter for row in await views.dead_letters(ListDeadLetters(limit=1))] == [
        second
    ]


async def test_dropped_views_are_rebuilt_equal(tmp_path: Path, store: SqliteEventStore) -> None:
    await record_lives(store, 30)
    await record(store, stream_of(uuid4(), [accepted(), granted(), attempt_lost()]))
    last = await record(store, stream_of(uuid4(), [dead_letter()]))

    async with following(tmp_path, store) as views:
        assert await views.caught_up(last, timeout_s=20)
        before = (await views.tasks(ListTasks()), await views.dead_letters(ListDeadLetters()))
        await views.rebuild()
        assert await views.caught_up(last, timeout_s=20)
        rebuilt = (await views.tasks(ListTasks()), await views.dead_letters(ListDeadLetters()))
    for file in (tmp_path / "views").iterdir():
        file.unlink()
    async with following(tmp_path, store) as views:
        assert await views.caught_up(last, timeout_s=20)
        anew = (await views.tasks(ListTasks()), await views.dead_letters(ListDeadLetters()))

    assert before == rebuilt == anew
    assert (len(before[0]), len(before[1])) == (31, 1)


async def test_a_view_that_has_stopped_says_so_and_goes_on_answering(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    told: dict[str, str] = {}
    async with following(tmp_path, store, on_stopped=told.__setitem__) as views:
        task = await a_task(store, views, [accepted()])
        newer = NewEvent(uuid4(), task, 2, "task.granted.v2", b"{}", granted())
        await store.append(Append([newer]))

        await wait_until(lambda: bool(told))

        assert set(told) == {"tasks"}
        assert "at position 2" in told["tasks"]
        assert views.stopped == told
        assert views.position == 1
        row = await views.task(task)
        assert row is not None
        assert row.state == "queued"


LIVES = st.sampled_from(
    [
        [accepted()],
        [accepted(), granted()],
        [accepted(), granted(), completed()],
        [accepted(), expired()],
        [accepted(), granted(), attempt_lost(), granted(2), failed()],
    ]
)


@given(st.lists(LIVES, min_size=1, max_size=5), st.data())
def test_the_rows_do_not_depend_on_how_the_log_is_cut(
    lives: list[list[Decision]], data: st.DataObject
) -> None:
    streams = [stream_of(uuid4(), life) for life in lives]
    turns = data.draw(st.permutations([i for i, stream in enumerate(streams) for _ in stream]))
    queues = [iter(stream) for stream in streams]
    log = as_recorded([next(queues[turn]) for turn in turns])
    cuts = data.draw(st.lists(st.integers(0, len(log)), max_size=6))

    assert rows_of(log, cuts) == rows_of(log, range(len(log)))


def rows_of(log: Sequence[Recorded], cuts: Sequence[int]) -> list[TaskRow]:
    projection = TaskProjection()
    facts = [Fact(event, projection.codec.decode(event.type, event.data)) for event in log]
    edges = sorted({0, len(log), *cuts})
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        projection.create(db)
        for start, end in pairwise(edges):
            projection.apply(db, facts[start:end])
        return list_tasks(db, ListTasks())


async def test_what_is_appended_before_the_views_start_is_shown(
    tmp_path: Path, store: SqliteEventStore
) -> None:
    task = uuid4()
    last = await record(store, a_plain_life(task))

    async with following(tmp_path, store) as views:
        assert await views.caught_up(last, timeout_s=20)
        assert await views.task(task) is not None
