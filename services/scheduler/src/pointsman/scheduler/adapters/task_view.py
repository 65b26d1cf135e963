"""The table of tasks: a projection, and the rows that it answers questions with."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, cast
from uuid import UUID

import msgspec

from pointsman.contracts.bulk import AskBulk
from pointsman.contracts.events import (
    Decision,
    TaskAbandoned,
    TaskCancelled,
    TaskExpired,
    TaskFailed,
    TaskHeld,
    TaskRekeyed,
    TaskReleased,
    TaskShed,
)
from pointsman.contracts.message import Message
from pointsman.contracts.queries import ListTasks, TaskRow
from pointsman.contracts.task_states import TRANSITIONS, TaskState
from pointsman.contracts.topics import TOPICS, EventCodec
from pointsman.eventstore.projections import Fact
from pointsman.scheduler.adapters import task_table as sql

MAX_ROWS: Final = 1000

# As much of an event as the table holds: decoding the rest, an explanation above all, would cost
# more than everything else. References stay encoded.


class _Chosen(Message, frozen=True):
    domain: str


class _Route(Message, frozen=True):
    chosen: _Chosen


class _Accepted(Decision, frozen=True):
    pool: str
    tenant: str
    family: str
    priority_class: str
    payload: msgspec.Raw
    message_id: str
    source: str
    deadline: float | None = None
    boost_s: float = 0.0
    parent: str | None = None
    part: int = 0
    band: str = ""
    bulk: str = ""
    schedule: str = ""
    route: _Route | None = None
    not_before: float | None = None
    awaits: tuple[str, ...] = ()


class _Granted(Decision, frozen=True):
    attempt: int
    device: str
    variant: str


class _Hedged(Decision, frozen=True):
    attempt: int


class _PartsGranted(Decision, frozen=True):
    attempt: int


class _Split(Decision, frozen=True):
    parts: tuple[msgspec.Raw, ...]


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
    "task.hedged.v1": _Hedged,
    "task.parts_granted.v1": _PartsGranted,
    "task.split.v1": _Split,
    "task.attempt_failed.v1": _AttemptEnded,
    "task.attempt_timed_out.v1": _AttemptEnded,
    "task.attempt_lost.v1": _AttemptEnded,
    "task.completed.v1": _Completed,
    "task.failed.v1": TaskFailed,
    "task.cancelled.v1": TaskCancelled,
    "task.expired.v1": TaskExpired,
    "task.shed.v1": TaskShed,
    "task.abandoned.v1": TaskAbandoned,
    "task.held.v1": TaskHeld,
    "task.released.v1": TaskReleased,
    "task.rekeyed.v1": TaskRekeyed,
}

# What operators do to a task leaves its state as it is.
_STEERED: Final = (TaskHeld, TaskReleased, TaskRekeyed)

# Whatever a task's state was before, any other event of one type leads to one state, but for a task
# that was split: nothing but its end takes it out of that.
_STATE_AFTER: Final[Mapping[type[Decision], TaskState]] = {
    type_: next(after for (_, event), after in TRANSITIONS.items() if event is TOPICS[topic])
    for topic, type_ in _TYPES.items()
    if type_ not in _STEERED
}

_BEFORE_SPLIT: Final = (TaskState.QUEUED, TaskState.GRANTED)

_encoder: Final = msgspec.json.Encoder()
_rows_decoder: Final = msgspec.json.Decoder(list[TaskRow])


class TaskProjection:
    """Implements `eventstore.projections.Projection`: one row per task, by its last events."""

    name = "tasks"
    version = 4
    topics = frozenset(topic.rpartition(".v")[0] for topic in _TYPES)
    codec = EventCodec(_TYPES)

    def create(self, db: sqlite3.Connection) -> None:
        for statement in sql.SCHEMA:
            db.execute(statement)

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        rows: dict[UUID, dict[str, object]] = {}
        for fact in facts:
            recorded, event = fact.recorded, fact.event
            row = rows.setdefault(recorded.stream, {"task": recorded.stream})
            state = _STATE_AFTER.get(type(event))
            was_split = row.get("state") is TaskState.SPLIT and state in _BEFORE_SPLIT
            if state is not None and not was_split:
                row["state"] = state
            row["position"] = recorded.position
            row.update(_columns(event, recorded.position))
        new = [row for row in rows.values() if "accepted" in row]
        old = [row for row in rows.values() if "accepted" not in row]
        if new:
            db.execute(sql.INSERT, (_encoder.encode(new).decode(),))
        if old:
            db.execute(sql.UPDATE, (_encoder.encode(old).decode(),))


def _columns(event: Decision, position: int) -> dict[str, object]:
    """What an event says about its task; later ones overwrite."""
    match event:
        case _Accepted():
            return _as_accepted(event, position)
        case _Hedged() | _PartsGranted():
            return {"attempts": event.attempt}
        case _Split():
            return {"parts": len(event.parts)}
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
                "held": "",
            }
        case _:
            return _steered(event) or _end_without_result(event)


def _steered(event: Decision) -> dict[str, object]:
    match event:
        case TaskHeld():
            return {"held": f"{event.by}: {event.reason}"}
        case TaskReleased():
            return {"held": ""}
        case TaskRekeyed():
            return {"priority_class": event.priority_class, "boost_s": event.boost_s}
        case _:
            return {}


def _as_accepted(event: _Accepted, position: int) -> dict[str, object]:
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
        "boost_s": event.boost_s,
        "parent": event.parent,
        "part": event.part,
        "band": event.band,
        "domain": None if event.route is None else event.route.chosen.domain,
        "bulk": event.bulk,
        "schedule": event.schedule,
        "pool": event.pool,
        "arrival": max(event.at, event.not_before or 0.0),
        "awaits": event.awaits or None,
    }


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
    return {"ended_at": event.at, "code": end[0], "detail": end[1], "held": ""}


def list_tasks(db: sqlite3.Connection, query: ListTasks) -> list[TaskRow]:
    """Newest first."""
    wanted = {
        "tenant": query.tenant,
        "state": query.state,
        "family": query.family,
        "pool": query.pool,
    }
    filters = {name: value for name, value in wanted.items() if value is not None}
    if query.parent is not None:
        filters["parent"] = str(query.parent)
    # What is said twice lets the indexes serve that leave empty names out.
    named = {"bulk": query.bulk, "schedule": query.schedule}
    conditions = [f"{name} <> ''" for name, value in named.items() if value]
    filters.update({name: value for name, value in named.items() if value is not None})
    conditions += [f"{name} = ?" for name in filters]
    if not query.parts and query.parent is None:
        conditions.append("parent IS NULL")
    where = " AND ".join(conditions) or "true"
    limit = min(max(query.limit, 1), MAX_ROWS)
    return _select(db, where, (*filters.values(), limit))


def count_bulk(db: sqlite3.Connection, pool: str, asked: AskBulk) -> dict[str, int]:
    """Tasks of a bulk in one pool, by state."""
    # What is said twice lets the index serve that leaves empty names out.
    rows = db.execute(
        "SELECT state, count(*) FROM tasks WHERE bulk <> '' AND bulk = ? AND tenant = ?"
        " AND pool = ? AND parent IS NULL GROUP BY state",
        (asked.bulk, asked.tenant, pool),
    )
    return {str(state): int(count) for state, count in rows}


def one_task(db: sqlite3.Connection, task: UUID) -> TaskRow | None:
    """None if no such task was ever accepted."""
    rows = _select(db, "task = ?", (str(task), 1))
    return rows[0] if rows else None


def _select(db: sqlite3.Connection, where: str, parameters: Sequence[object]) -> list[TaskRow]:
    document = db.execute(
        f"SELECT json_group_array({sql.ROW}) FROM"  # noqa: S608 - constant names and placeholders
        f" (SELECT * FROM tasks WHERE {where} ORDER BY accepted DESC LIMIT ?) AS found",
        parameters,
    ).fetchone()
    return _rows_decoder.decode(cast("str", document[0]))
