"""Tasks, counts of ended tasks and registered variants: a projection of the feed."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.parts import PartsOutcome
from pointsman.contracts.task_states import TaskState
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.projections import Fact

BUCKET_S: Final = 10
"""Ended tasks are counted by when they ended, so that a window is a sum over a few rows."""

# As much of an event as the view needs: decoding an explanation would cost more than all else.


class _Accepted(Decision, frozen=True):
    pool: str
    tenant: str
    family: str
    conversation: str | None = None


class _Granted(Decision, frozen=True):
    pass


class _AttemptEnded(Decision, frozen=True):
    pass


class _Prepared(Decision, frozen=True):
    kept: int = 0
    dropped: int = 0


class _Completed(Decision, frozen=True):
    variant: str
    run_s: float
    parts: PartsOutcome | None = None


class _Registered(Decision, frozen=True):
    variant: str
    family: str
    quality: float


_TYPES: Final[Mapping[str, type[Decision]]] = {
    "task.accepted.v1": _Accepted,
    "task.granted.v1": _Granted,
    "task.prepared.v1": _Prepared,
    "task.attempt_failed.v1": _AttemptEnded,
    "task.attempt_timed_out.v1": _AttemptEnded,
    "task.attempt_lost.v1": _AttemptEnded,
    "task.completed.v1": _Completed,
    "task.failed.v1": events.TaskFailed,
    "task.cancelled.v1": events.TaskCancelled,
    "task.expired.v1": events.TaskExpired,
    "task.shed.v1": events.TaskShed,
    "task.abandoned.v1": events.TaskAbandoned,
    "model.registered.v1": _Registered,
}

_ENDS: Final[Mapping[type[Decision], TaskState]] = {
    _Completed: TaskState.COMPLETED,
    events.TaskFailed: TaskState.FAILED,
    events.TaskCancelled: TaskState.CANCELLED,
    events.TaskExpired: TaskState.EXPIRED,
    events.TaskShed: TaskState.SHED,
    events.TaskAbandoned: TaskState.ABANDONED,
}

# Times that are added up are whole microseconds: sums of floats depend on how they are cut.
_SCHEMA: Final = (
    """CREATE TABLE tasks (
        task TEXT PRIMARY KEY, pool TEXT NOT NULL, tenant TEXT NOT NULL, family TEXT NOT NULL,
        conversation TEXT, state TEXT NOT NULL, variant TEXT, ended_at REAL, granted_us INTEGER,
        run_us INTEGER NOT NULL, spent_us INTEGER NOT NULL, history INTEGER NOT NULL,
        reused INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE buckets (
        pool TEXT NOT NULL, bucket INTEGER NOT NULL, ended INTEGER NOT NULL,
        completed INTEGER NOT NULL, run_us INTEGER NOT NULL, spent_us INTEGER NOT NULL,
        history INTEGER NOT NULL, reused INTEGER NOT NULL,
        PRIMARY KEY (pool, bucket)) WITHOUT ROWID""",
    """CREATE TABLE variants (
        variant TEXT PRIMARY KEY, family TEXT NOT NULL, quality REAL NOT NULL) WITHOUT ROWID""",
)

# Each batch is one JSON document and a few statements: a statement per row would wait for the
# interpreter lock per row while the event loop is busy.
_NEW: Final = """
    INSERT OR IGNORE INTO tasks
    SELECT json_extract(value, '$.task'), json_extract(value, '$.pool'),
        json_extract(value, '$.tenant'), json_extract(value, '$.family'),
        json_extract(value, '$.conversation'), coalesce(json_extract(value, '$.state'), 'queued'),
        json_extract(value, '$.variant'), json_extract(value, '$.ended_at'),
        json_extract(value, '$.granted_us'), json_extract(value, '$.run_us'),
        json_extract(value, '$.spent_us'), json_extract(value, '$.history'),
        json_extract(value, '$.reused')
    FROM json_each(?)"""
_CHANGED: Final = """
    WITH change AS MATERIALIZED (
        SELECT json_extract(value, '$.task') AS task, value AS new FROM json_each(?))
    UPDATE tasks SET
        state = coalesce(json_extract(new, '$.state'), state),
        variant = coalesce(json_extract(new, '$.variant'), variant),
        ended_at = coalesce(json_extract(new, '$.ended_at'), ended_at),
        granted_us = coalesce(json_extract(new, '$.granted_us'), granted_us),
        run_us = run_us + (json_extract(new, '$.run_us')),
        spent_us = spent_us + (json_extract(new, '$.spent_us'))
            + coalesce(max(0, (json_extract(new, '$.attempt_ended_us')) - granted_us), 0),
        history = max(history, json_extract(new, '$.history')),
        reused = max(reused, json_extract(new, '$.reused'))
    FROM change WHERE tasks.task = change.task"""
_COUNTED: Final = f"""
    INSERT INTO buckets
    SELECT pool, CAST(ended_at / {BUCKET_S} AS INTEGER), sum(state <> 'cancelled'),
        sum(state = 'completed'), sum(run_us), sum(spent_us), sum(history), sum(reused)
    FROM tasks JOIN json_each(?) ON task = value GROUP BY 1, 2
    ON CONFLICT (pool, bucket) DO UPDATE SET
        ended = ended + excluded.ended, completed = completed + excluded.completed,
        run_us = run_us + excluded.run_us, spent_us = spent_us + excluded.spent_us,
        history = history + excluded.history, reused = reused + excluded.reused
    """  # noqa: S608 - a constant of this module

_encoder: Final = msgspec.json.Encoder()


class TaskProjection:
    """Implements `eventstore.projections.Projection`."""

    name = "feedback_tasks"
    version = 1
    topics = frozenset(topic.rpartition(".v")[0] for topic in _TYPES)
    codec = EventCodec(_TYPES)

    def create(self, db: sqlite3.Connection) -> None:
        for statement in _SCHEMA:
            db.execute(statement)

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        rows: dict[UUID, _Row] = {}
        ended: list[UUID] = []
        for fact in facts:
            event, task = fact.event, fact.recorded.stream
            if isinstance(event, _Registered):
                new = (event.variant, event.family, event.quality)
                db.execute("INSERT OR REPLACE INTO variants VALUES (?, ?, ?)", new)
                continue
            if (row := rows.get(task)) is None:
                row = rows[task] = _Row(task=str(task))
            row.take(event)
            if type(event) in _ENDS:
                ended.append(task)
        new_rows = [row for row in rows.values() if row.pool is not None]
        old_rows = [row for row in rows.values() if row.pool is None]
        if new_rows:
            db.execute(_NEW, (_encoder.encode(new_rows).decode(),))
        if old_rows:
            db.execute(_CHANGED, (_encoder.encode(old_rows).decode(),))
        if ended:
            db.execute(_COUNTED, (_encoder.encode(ended).decode(),))


class _Row(msgspec.Struct, omit_defaults=False):
    """What the events of one batch say about one task."""

    task: str
    pool: str | None = None
    tenant: str | None = None
    family: str | None = None
    conversation: str | None = None
    state: str | None = None
    variant: str | None = None
    ended_at: float | None = None
    granted_us: int | None = None
    attempt_ended_us: int | None = None
    """The end of an attempt that was granted in an earlier batch."""
    run_us: int = 0
    spent_us: int = 0
    history: int = 0
    reused: int = 0

    def take(self, event: Decision) -> None:
        match event:
            case _Accepted():
                self.pool, self.tenant = event.pool, event.tenant
                self.family, self.conversation = event.family, event.conversation
            case _Granted():
                self.granted_us = _us(event.at)
            case _AttemptEnded():
                self._attempt_ended(_us(event.at))
            case _Prepared():
                self.history = int(event.kept + event.dropped > 0)
                self.reused = int(event.kept > 0)
            case _Completed():
                # Of a task that ran in parts, those took the time of devices.
                run_s = event.run_s if event.parts is None else 0.0
                self.variant, self.run_us = event.variant, _us(run_s)
                self.spent_us += self.run_us
            case _:
                pass
        if (state := _ENDS.get(type(event))) is not None:
            self.state, self.ended_at = state.value, event.at

    def _attempt_ended(self, at_us: int) -> None:
        if self.granted_us is None:
            self.attempt_ended_us = at_us
        else:
            self.spent_us += max(0, at_us - self.granted_us)


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
