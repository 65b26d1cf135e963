"""The view of tasks: rebuilt equal, however its facts are cut."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import TaskState
from pointsman.eventstore.view_file import ViewFile
from pointsman.feedback.adapters.task_view import TaskProjection
from pointsman.feedback.domain.behaviour import Window
from pointsman.feedback.ports import RatedTask
from tests.feedback.world import (
    NOON,
    accepted,
    attempt_failed,
    cancelled,
    completed,
    failed,
    feedback,
    granted,
    prepared,
    registered,
)
from tests.support.task_events import as_recorded, stream_of

LIVES: tuple[tuple[Decision, ...], ...] = (
    (accepted(), granted(NOON), completed(NOON + 3.1, run_s=0.1)),
    (
        accepted(conversation="c"), prepared(kept=1), granted(NOON + 1.3),
        attempt_failed(NOON + 2.7), granted(NOON + 3, 2), completed(NOON + 15.9),
    ),
    (accepted(pool="other"), granted(NOON), attempt_failed(NOON + 2.2), failed(NOON + 2.2)),
    (accepted(), prepared(dropped=2), granted(NOON), cancelled(NOON + 9)),
    (accepted(), granted(NOON)),
    (registered("large", 0.9),),
)  # fmt: skip


def interleaved(order: Sequence[int]) -> list[Recorded]:
    """The lives of several tasks in one log; `order` says whose next event comes."""
    streams = [uuid4() for _ in order]
    events = [stream_of(streams[i], LIVES[life]) for i, life in enumerate(order)]
    found, depth = list[Recorded](), 0
    while any(depth < len(each) for each in events):
        for each in events:
            if depth < len(each):
                found += as_recorded([each[depth]], after=len(found))
        depth += 1
    return found


def content(path: Path) -> list[object]:
    with closing(sqlite3.connect(path)) as db:
        return [
            db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608 - constant names
            for table in ("tasks", "buckets", "variants")
        ]


def view_of(directory: Path, events: Sequence[Recorded], cuts: Sequence[int]) -> list[object]:
    path = directory / f"{uuid4()}.db"
    with closing(ViewFile(path, TaskProjection())) as file:
        for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
            if start < end:
                # Delivered again from the beginning: what is there already changes nothing.
                assert file.apply(events[max(0, start - 2) : end], events[end - 1].position) is None
    return content(path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, len(LIVES) - 1), min_size=1, max_size=8), st.data())
def test_the_same_facts_give_the_same_view_however_they_are_cut(
    tmp_path: Path, order: list[int], data: st.DataObject
) -> None:
    events = interleaved(order)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=6)))

    assert view_of(tmp_path, events, cuts) == view_of(tmp_path, events, [])


async def test_a_rebuilt_view_is_equal_to_the_old_one(tmp_path: Path) -> None:
    async with feedback(tmp_path) as here:
        for life in LIVES[:-1] * 3:
            await here.task(*life)
        await here.register(registered("large", 0.9))
        path = tmp_path / "views" / "feedback_tasks.db"
        before = content(path)

        await here.view.rebuild()
        assert await here.view.up_to_date(timeout_s=5)

        assert content(path) == before


async def test_the_view_knows_who_served_a_task_and_how_pools_did(tmp_path: Path) -> None:
    async with feedback(tmp_path) as here:
        tasks = [await here.task(*life) for life in LIVES[:-1]]
        await here.register(registered("small", 0.5), registered("large", 0.9))

        found = [await here.view.task(task) for task in tasks]
        windows = await here.view.windows(NOON)

        assert found[1] == RatedTask("acme", "main", "summarize", TaskState.COMPLETED, "large", "c")
        assert [task.state.value for task in found if task is not None] == [
            "completed", "completed", "failed", "cancelled", "queued",
        ]  # fmt: skip
        assert windows == {
            "main": Window(2, 2, 600_000, 2_000_000, 2, 1),
            "other": Window(1, 0, 0, 2_200_000, 0, 0),
        }
        assert [each.variant for each in await here.view.variants()] == ["large", "small"]
        assert await here.view.task(uuid4()) is None
        assert await here.view.windows(NOON + 60) == {}
