"""How long a task waited that had to wait for others first."""

import sqlite3
from contextlib import closing
from typing import Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from pointsman.contracts.events import Decision
from pointsman.contracts.queries import ListTasks
from pointsman.eventstore.projections import Fact
from pointsman.scheduler.adapters.task_view import TaskProjection, list_tasks, one_task
from tests.support.task_events import (
    NOON,
    accepted,
    as_recorded,
    cancelled,
    completed,
    granted,
    stream_of,
)

FIRST, SECOND, THIRD = (UUID(int=number) for number in (1, 2, 3))
GRANTED_S: Final = 30.0
"""After the acceptance of the third task, at noon."""


def waited_s(*lives: tuple[UUID, list[Decision]]) -> float | None:
    """Of the third task."""
    projection = TaskProjection()
    log = as_recorded([event for task, life in lives for event in stream_of(task, life)])
    facts = [Fact(event, projection.codec.decode(event.type, event.data)) for event in log]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        projection.create(db)
        projection.apply(db, facts)
        row = one_task(db, THIRD)
        assert row in list_tasks(db, ListTasks())
    assert row is not None
    return row.queue_s


def after(
    *others: UUID, not_before: float | None = None, queue_s: float = GRANTED_S
) -> list[Decision]:
    names = tuple(map(str, others))
    begun = replace(accepted(), depends_on=names, awaits=names, not_before=not_before)
    return [begun, granted(), replace(completed(), queue_s=queue_s)]


def ends_at(at: float) -> list[Decision]:
    return [accepted(), granted(), replace(completed(), at=at)]


def test_it_waits_from_when_the_last_of_them_completed() -> None:
    lives = (FIRST, ends_at(NOON + 25.4)), (SECOND, ends_at(NOON + 7))

    assert waited_s(*lives, (THIRD, after(FIRST, SECOND))) == pytest.approx(4.6)
    assert waited_s(*lives, (THIRD, after(SECOND))) == pytest.approx(23.0)
    assert waited_s(*lives, (THIRD, after())) == GRANTED_S


def test_of_what_ended_before_its_time_had_come_nothing_is_counted() -> None:
    life = after(FIRST, not_before=NOON + 26, queue_s=4.0)

    assert waited_s((FIRST, ends_at(NOON + 25)), (THIRD, life)) == 4.0
    assert waited_s((FIRST, ends_at(NOON + 27)), (THIRD, life)) == pytest.approx(3.0)


def test_of_what_the_view_does_not_know_nothing_is_taken_off() -> None:
    assert waited_s((THIRD, after(FIRST))) == GRANTED_S


def test_a_task_that_never_ran_has_not_waited() -> None:
    awaiting, _, _ = after(FIRST)

    assert waited_s((FIRST, [accepted()]), (THIRD, [awaiting, cancelled()])) is None
