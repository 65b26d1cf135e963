"""The table of tasks: a projection, and the rows that it answers questions with."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, cast
from uuid import UUID

import msgspec

from pointsman.contracts.events import (
    Decision,
    TaskAbandoned,
    TaskCancelled,
    TaskExpired,
    TaskFailed,
    TaskShed,
)
from pointsman.contracts.queries import ListTasks, TaskRow
from pointsman.contracts.task_states import TRANSITIONS, TaskState
from pointsman.contracts.topics import TOPICS, EventCodec
from pointsman.eventstore.projections import Fact

MAX_ROWS: Final = 1000

# As much of an event as the table holds: decoding the rest, an explanation above all, would cost
# more than everything else. References stay encoded.


class _Accepted(Decision, frozen=True):
    tenant: str
    family: str
    priority_class: str
    payload: msgspec.Raw
    message_id: str
    source: str
    deadline: float | None = None


class _Granted(Decision, frozen=True):
    attempt: int
    device: str
    variant: str


class _AttemptEnded(Decision, frozen=True):
    attempt: int


class _Completed(Decision, frozen=True):
    attempt: int
    device: str
    variant: str
    result: msgspec.Raw
    queue_s: float
    run_s: float


_TYPES: Final[Mapping[str, type[Decision]]] = {
    "task.accepted.v1": _Accepted,
    "task.granted.v1": _Granted,
    "task.attempt_failed.v1": _AttemptEnded,
    "task.attempt_timed_out.v1": _AttemptEnded,
    "task.attempt_lost.v1": _AttemptEnded,
    "task.completed.v1": _Completed,
    "task.failed.v1": TaskFailed,
    "task.cancelled.v1": TaskCancelled,
    "task.expired.v1": TaskExpired,
    "task.shed.v1": TaskShed,
    "task.abandoned.v1": TaskAbandoned,
}

# Whatever a task's state was before, an event of one type leads to one state.
_STATE_AFTER: Final[Mapping[type[Decision], TaskState]] = {
    type_: next(after for (_, event), after in TRANSITIONS.items() if event is TOPICS[topic])
    for topic, type_ in _TYPES.items()
}

# One row as JSON with the field names of `TaskRow`; what is not known yet is left null.
_ROW: Final = """json_object(
    'task', task, 'tenant', tenant, 'family', family, 'priority_class', priority_class,
    'state', state, 'accepted_at', accepted_at, 'position', position, 'deadline', deadline,
    'attempts', attempts, 'device', device, 'variant', variant, 'queue_s', queue_s,
    'run_s', run_s, 'ended_at', ended_at, 'code', code, 'detail', detail,
    'message_id', message_id, 'source', source, 'payload', json(payload), 'result', json(result))"""

_SCHEMA: Final = (
    # The position of its acceptance orders tasks by age, and makes `newest first` a plain scan.
    """CREATE TABLE tasks (
        accepted INTEGER PRIMARY KEY, task TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
        family TEXT NOT NULL, priority_class TEXT NOT NULL, state TEXT NOT NULL,
        accepted_at REAL NOT NULL, position INTEGER NOT NULL, deadline REAL,
        attempts INTEGER NOT NULL, device TEXT, variant TEXT, queue_s REAL, run_s REAL,
        ended_at REAL, code TEXT, detail TEXT, message_id TEXT NOT NULL, source TEXT NOT NULL,
        payload TEXT NOT NULL, result TEXT)""",
    "CREATE INDEX tasks_by_tenant ON tasks (tenant)",
)

# Each batch is one JSON document and two statements: a statement per row would wait for the
# interpreter lock per row while the event loop is busy.
_NEW: Final = """
    INSERT OR IGNORE INTO tasks
    SELECT json_extract(value, '$.accepted'), json_extract(value, '$.task'),
        json_extract(value, '$.tenant'), json_extract(value, '$.family'),
        json_extract(value, '$.priority_class'), json_extract(value, '$.state'),
        json_extract(value, '$.accepted_at'), json_extract(value, '$.position'),
        json_extract(value, '$.deadline'), coalesce(json_extract(value, '$.attempts'), 0),
        json_extract(value, '$.device'), json_extract(value, '$.variant'),
        json_extract(value, '$.queue_s'), json_extract(value, '$.run_s'),
        json_extract(value, '$.ended_at'), json_extract(value, '$.code'),
        json_extract(value, '$.detail'), json_extract(value, '$.message_id'),
        json_extract(value, '$.source'), json_extract(value, '$.payload'),
        json_extract(value, '$.result')
    FROM json_each(?)"""
_CHANGED: Final = """
    WITH change AS MATERIALIZED (
        SELECT json_extract(value, '$.task') AS task, value AS new FROM json_each(?))
    UPDATE tasks SET
        state = json_extract(new, '$.state'), position = json_extract(new, '$.position'),
        attempts = coalesce(json_extract(new, '$.attempts'), attempts),
        device = coalesce(json_extract(new, '$.device'), device),
        variant = coalesce(json_extract(new, '$.variant'), variant),
        queue_s = coalesce(json_extract(new, '$.queue_s'), queue_s),
        run_s = coalesce(json_extract(new, '$.run_s'), run_s),
        ended_at = coalesce(json_extract(new, '$.ended_at'), ended_at),
        code = coalesce(json_extract(new, '$.code'), code),
        detail = coalesce(json_extract(new, '$.detail'), detail),
        result = coalesce(json_extract(new, '$.result'), result)
    FROM change WHERE tasks.task = change.task"""

_encoder: Final = msgspec.json.Encoder()
_rows_decoder: Final = msgspec.json.Decoder(list[TaskRow])


class TaskProjection:
    """Implements `eventstore.projections.Projection`: one row per task, by its last events."""

    name = "tasks"
    version = 1
    topics = frozenset(topic.rpartition(".v")[0] for topic in _TYPES)
    codec = EventCodec(_TYPES)

    def create(self, db: sqlite3.Connection) -> None:
        for statement in _SCHEMA:
            db.execute(statement)

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        rows: dict[UUID, dict[str, object]] = {}
        for fact in facts:
            recorded, event = fact.recorded, fact.event
            row = rows.setdefault(recorded.stream, {"task": recorded.stream})
            row["state"] = _STATE_AFTER[type(event)]
            row["position"] = recorded.position
            row.update(_columns(event, recorded.position))
        new = [row for row in rows.values() if "accepted" in row]
        old = [row for row in rows.values() if "accepted" not in row]
        if new:
            db.execute(_NEW, (_encoder.encode(new).decode(),))
        if old:
            db.execute(_CHANGED, (_encoder.encode(old).decode(),))


def _columns(event: Decision, position: int) -> dict[str, object]:
    """What an event says about its task; later ones overwrite."""
    match event:
        case _Accepted():
            return {
                "accepted": position,
                "accepted_at": event.at,
                "tenant": event.tenant,
                "family": event.family,
                "priority_class": event.priority_class,
                "deadline": event.deadline,
                "message_id": event.message_id,
                "source": event.source,
                "payload": event.payload,
            }
        case _Granted():
            return {"attempts": event.attempt, "device": event.device, "variant": event.variant}
        case _Completed():
            return {
                "ended_at": event.at,
                "device": event.device,
                "variant": event.variant,
                "queue_s": event.queue_s,
                "run_s": event.run_s,
                "result": event.result,
            }
        case _:
            return _end_without_result(event)


def _end_without_result(event: Decision) -> dict[str, object]:
    match event:
        case TaskFailed():
            end = (event.code, event.message)
        case TaskCancelled():
            end = ("cancelled", f"by {event.by}: {event.reason}" if event.reason else event.by)
        case TaskExpired():
            end = ("expired", event.reason)
        case TaskShed():
            end = ("shed", event.reason)
        case TaskAbandoned():
            end = ("abandoned", event.reason)
        case _:
            # An attempt that ended sends its task back into the queue and says nothing more.
            return {}
    return {"ended_at": event.at, "code": end[0], "detail": end[1]}


def list_tasks(db: sqlite3.Connection, query: ListTasks) -> list[TaskRow]:
    """Newest first."""
    wanted = {"tenant": query.tenant, "state": query.state, "family": query.family}
    filters = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(f"{name} = ?" for name in filters) or "true"
    limit = min(max(query.limit, 1), MAX_ROWS)
    return _select(db, where, (*filters.values(), limit))


def one_task(db: sqlite3.Connection, task: UUID) -> TaskRow | None:
    """None if no such task was ever accepted."""
    rows = _select(db, "task = ?", (str(task), 1))
    return rows[0] if rows else None


def _select(db: sqlite3.Connection, where: str, parameters: Sequence[object]) -> list[TaskRow]:
    document = db.execute(
        f"SELECT json_group_array({_ROW}) FROM"  # noqa: S608 - constant names and placeholders
        f" (SELECT * FROM tasks WHERE {where} ORDER BY accepted DESC LIMIT ?)",
        parameters,
    ).fetchone()
    return _rows_decoder.decode(cast("str", document[0]))
