"""What the view of tasks shows of an operator's hand on them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from uuid import uuid4

import pytest

from pointsman.contracts import events
from pointsman.contracts.events import Decision, RekeyKind
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.queries import ListTasks, TaskRow
from pointsman.eventstore.projections import Fact
from pointsman.scheduler.adapters.task_view import TaskProjection, list_tasks
from tests.support.task_events import (
    NOON,
    accepted,
    as_recorded,
    cancelled,
    completed,
    granted,
    stream_of,
)

HELD = events.TaskHeld(at=NOON, applied_to=0, by="cli:ada", reason="wrong input")
RELEASED = events.TaskReleased(at=NOON, applied_to=0, by="cli:ada", reason="right input")
REKEYED = events.TaskRekeyed(
    at=NOON,
    applied_to=0,
    by="cli:ada",
    reason="urgent",
    kind=RekeyKind.MOVE,
    priority_class=PriorityClass.BATCH,
    boost_s=5.0,
    key=NOON + 60,
)


def shown(decisions: Sequence[Decision], *, together: bool) -> TaskRow:
    """The row of a task with these events, folded at once or one by one."""
    projection, life = TaskProjection(), stream_of(uuid4(), decisions)
    facts = [
        Fact(recorded=recorded, event=projection.codec.decode(event.topic, event.state))
        for recorded, event in zip(as_recorded(life), life, strict=True)
    ]
    with closing(sqlite3.connect(":memory:")) as db:
        projection.create(db)
        for batch in [facts] if together else [[fact] for fact in facts]:
            projection.apply(db, batch)
        (row,) = list_tasks(db, ListTasks())
    return row


@pytest.mark.parametrize("together", [True, False])
def test_a_held_task_shows_who_holds_it_and_keeps_its_state(*, together: bool) -> None:
    waiting = shown([accepted(), HELD], together=together)
    running = shown([accepted(), granted(), HELD], together=together)

    assert (waiting.state, waiting.held) == ("queued", "cli:ada: wrong input")
    assert (running.state, running.held) == ("granted", "cli:ada: wrong input")


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("end", [RELEASED, cancelled()])
def test_a_hold_ends_with_a_release_or_with_the_task(end: Decision, *, together: bool) -> None:
    assert not shown([accepted(), HELD, end], together=together).held


def test_a_task_that_completes_while_it_is_held_is_held_no_more() -> None:
    row = shown([accepted(), granted(), HELD, completed()], together=False)

    assert (row.state, row.held) == ("completed", "")


@pytest.mark.parametrize("together", [True, False])
def test_a_moved_task_shows_its_new_class_and_boost(*, together: bool) -> None:
    before = shown([accepted()], together=together)
    after = shown([accepted(), REKEYED], together=together)

    assert (before.priority_class, before.boost_s) == ("standard", 0.0)
    assert (after.priority_class, after.boost_s, after.state) == ("batch", 5.0, "queued")
