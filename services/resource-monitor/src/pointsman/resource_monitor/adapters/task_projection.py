"""Counts of tasks and qualities of variants: a projection, and the rows that it is asked for."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.events import Decision, MeasuredQuality, QualityMeasured
from pointsman.contracts.resource_monitor import FamilyTasks, VariantQuality
from pointsman.contracts.task_states import TERMINAL
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.projections import Fact
from pointsman.resource_monitor.domain.quality import WINDOW_S
from pointsman.resource_monitor.domain.task_window import timed_class
from pointsman.resource_monitor.ports import OpenTask, RatedVariant

_MICROSECONDS: Final = 1_000_000
_ACCEPTED: Final = "accepted"
_STATES: Final = {f"task.{state}.v1": state.value for state in TERMINAL}

_SCHEMA: Final = (
    """CREATE TABLE open_tasks (
        task BLOB PRIMARY KEY, position INTEGER NOT NULL, pool TEXT NOT NULL,
        family TEXT NOT NULL, priority_class TEXT NOT NULL, accepted_us INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE tasks (
        family TEXT NOT NULL, state TEXT NOT NULL, tasks INTEGER NOT NULL,
        PRIMARY KEY (family, state)) WITHOUT ROWID""",
    """CREATE TABLE quality (
        position INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, family TEXT NOT NULL,
        variant TEXT NOT NULL, ratings INTEGER NOT NULL, mean REAL NOT NULL, low REAL NOT NULL,
        high REAL NOT NULL)""",
    "CREATE INDEX quality_of_variants ON quality (family, variant, position)",
)
_OPEN: Final = "INSERT INTO open_tasks VALUES (?,?,?,?,?,?)"
_CLOSE: Final = "DELETE FROM open_tasks WHERE task = ? RETURNING family"
_COUNT: Final = """INSERT INTO tasks VALUES (?,?,?)
    ON CONFLICT (family, state) DO UPDATE SET tasks = tasks + excluded.tasks"""
_RATE: Final = "INSERT INTO quality VALUES (?,?,?,?,?,?,?,?)"
# The last value before the window holds at its beginning.
_FORGET: Final = """DELETE FROM quality WHERE family = ?1 AND variant = ?2 AND position < (
    SELECT max(position) FROM quality WHERE family = ?1 AND variant = ?2 AND time_us <= ?3)"""
# A variant whose ratings were all withdrawn has no quality; its figures would read as a bad one.
_LATEST: Final = """SELECT family, variant, ratings, mean, low, high, time_us FROM quality
    WHERE position IN (SELECT max(position) FROM quality GROUP BY family, variant)
        AND ratings > 0
    ORDER BY family, variant"""


class _Accepted(Decision, frozen=True):
    """The fields of `TaskAccepted` that are counted by."""

    pool: str
    family: str
    priority_class: str
    not_before: float | None = None
    depends_on: tuple[str, ...] = ()


class _Ended(Decision, frozen=True):
    """A terminal event: which one it is, its topic says."""


class TaskProjection:
    """Implements `eventstore.projections.Projection`."""

    name = "resource_monitor_tasks"
    version = 2
    topics = frozenset(
        {"task.accepted", "quality.measured", *(topic.removesuffix(".v1") for topic in _STATES)}
    )
    codec = EventCodec(
        {
            "task.accepted.v1": _Accepted,
            "quality.measured.v1": QualityMeasured,
            **dict.fromkeys(_STATES, _Ended),
        }
    )

    def create(self, db: sqlite3.Connection) -> None:
        for statement in _SCHEMA:
            db.execute(statement)

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        # Most tasks that end in the batch in which they were accepted never touch the table.
        opened: dict[bytes, tuple[object, ...]] = {}
        counts: Counter[tuple[str, str]] = Counter()
        for fact in facts:
            recorded, event = fact.recorded, fact.event
            task = recorded.stream.bytes
            if isinstance(event, _Accepted):
                sleeps = event.not_before is not None or bool(event.depends_on)
                timed = timed_class(event.priority_class, sleeps=sleeps)
                row = (event.pool, event.family, timed, recorded.time_us)
                opened[task] = (task, recorded.position, *row)
                counts[event.family, _ACCEPTED] += 1
            elif isinstance(event, QualityMeasured):
                _rate(db, fact, event)
            else:
                row = opened.pop(task, None)
                family = db.execute(_CLOSE, (task,)).fetchone() if row is None else (row[3],)
                if family is not None:
                    counts[str(family[0]), _STATES[recorded.type]] += 1
        db.executemany(_OPEN, opened.values())
        db.executemany(_COUNT, [(*key, count) for key, count in counts.items()])


def _rate(db: sqlite3.Connection, fact: Fact, event: QualityMeasured) -> None:
    recorded, rated = fact.recorded, event.measured
    figures = (rated.ratings, rated.mean, rated.low, rated.high)
    db.execute(_RATE, (recorded.position, recorded.time_us, event.family, rated.variant, *figures))
    before_us = recorded.time_us - int(WINDOW_S * _MICROSECONDS)
    db.execute(_FORGET, (event.family, rated.variant, before_us))


def open_tasks(db: sqlite3.Connection) -> list[OpenTask]:
    """In order of acceptance."""
    rows = db.execute(
        "SELECT task, pool, priority_class, accepted_us FROM open_tasks ORDER BY position"
    )
    return [
        OpenTask(UUID(bytes=task), pool, priority_class, accepted_us / _MICROSECONDS)
        for task, pool, priority_class, accepted_us in rows
    ]


def recent_quality(db: sqlite3.Connection) -> list[RatedVariant]:
    """In log order."""
    rows = db.execute(
        "SELECT family, variant, ratings, mean, low, high, time_us FROM quality ORDER BY position"
    )
    return [
        RatedVariant(
            family,
            MeasuredQuality(variant=variant, ratings=ratings, mean=mean, low=low, high=high),
            time_us / _MICROSECONDS,
        )
        for family, variant, ratings, mean, low, high, time_us in rows
    ]


def family_tasks(db: sqlite3.Connection) -> list[FamilyTasks]:
    """By name."""
    counts: dict[str, dict[str, int]] = {}
    for family, state, tasks in db.execute("SELECT * FROM tasks ORDER BY family, state"):
        counts.setdefault(family, {})[state] = tasks
    # What was accepted and did not end is open; nothing is counted twice.
    return [
        msgspec.convert(
            {"family": family, "open": 2 * states[_ACCEPTED] - sum(states.values()), **states},
            FamilyTasks,
        )
        for family, states in counts.items()
    ]


def variant_quality(db: sqlite3.Connection) -> list[VariantQuality]:
    """The latest of each variant that is rated, by family and name."""
    return [
        VariantQuality(
            family=family,
            variant=variant,
            ratings=ratings,
            mean=mean,
            low=low,
            high=high,
            at=time_us / _MICROSECONDS,
        )
        for family, variant, ratings, mean, low, high, time_us in db.execute(_LATEST)
    ]
