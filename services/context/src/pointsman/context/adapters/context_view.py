"""The view of this service: tasks that demand something, embeddings, responses, and lists."""

import sqlite3
from collections.abc import Sequence
from typing import Final, cast
from uuid import UUID

import msgspec

from pointsman.context.adapters import context_facts as kinds
from pointsman.context.domain.tasks import SOURCE
from pointsman.contracts.events import ContextPoolGrown, ResponseCached
from pointsman.contracts.message import BlobRef
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.projections import Fact

# `due`: 1 waits to be prepared, 2 has completed and lacks its turn or response, 0 neither. A row
# leaves when nothing is left to do, so the table is as long as the queue.
_SCHEMA: Final = (
    """CREATE TABLE tasks (
        task TEXT PRIMARY KEY, due INTEGER NOT NULL, accepted INTEGER NOT NULL,
        accepted_at REAL NOT NULL, tenant TEXT NOT NULL, pool TEXT NOT NULL, family TEXT NOT NULL,
        variants TEXT NOT NULL, input TEXT NOT NULL, parameters TEXT, project TEXT,
        conversation TEXT, context_tokens INTEGER NOT NULL, cache INTEGER NOT NULL, prepared TEXT,
        completed INTEGER, completed_at REAL NOT NULL DEFAULT 0, result TEXT,
        variant TEXT NOT NULL DEFAULT '', cached_from TEXT NOT NULL DEFAULT '',
        turn INTEGER NOT NULL DEFAULT 0, stored INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX tasks_to_prepare ON tasks (accepted_at) WHERE due = 1",
    "CREATE INDEX tasks_to_settle ON tasks (completed) WHERE due = 2",
    """CREATE TABLE embeddings (
        tenant TEXT NOT NULL, about TEXT NOT NULL, task TEXT NOT NULL, result TEXT,
        failed TEXT NOT NULL DEFAULT '', PRIMARY KEY (tenant, about))""",
    "CREATE INDEX embeddings_by_task ON embeddings (task)",
    """CREATE TABLE responses (
        key TEXT PRIMARY KEY, position INTEGER NOT NULL, expires_at REAL NOT NULL,
        event TEXT NOT NULL)""",
    "CREATE INDEX responses_by_age ON responses (position)",
    "CREATE TABLE growths (position INTEGER PRIMARY KEY, pool TEXT NOT NULL, factor REAL NOT NULL)",
    """CREATE TABLE projects (
        stream TEXT PRIMARY KEY, tenant TEXT NOT NULL, project TEXT NOT NULL,
        decisions INTEGER NOT NULL DEFAULT 0, conversations INTEGER NOT NULL DEFAULT 0,
        position INTEGER NOT NULL, changed_us INTEGER NOT NULL)""",
    "CREATE INDEX projects_by_tenant ON projects (tenant, position)",
    """CREATE TABLE preferences (
        stream TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (stream, key)) WITHOUT ROWID""",
    """CREATE TABLE conversations (
        stream TEXT PRIMARY KEY, tenant TEXT NOT NULL, project TEXT, conversation TEXT NOT NULL,
        turns INTEGER NOT NULL DEFAULT 0, position INTEGER NOT NULL, changed_us INTEGER NOT NULL)
    """,
    "CREATE INDEX conversations_by_tenant ON conversations (tenant, position)",
)

_ACCEPTED: Final = (
    "INSERT OR IGNORE INTO tasks (task, due, accepted, accepted_at, tenant, pool, family, variants,"
    " input, parameters, project, conversation, context_tokens, cache)"
    " VALUES (?,1,?,?,?,?,?,?,?,?,?,?,?,?)"
)
# Only one that still waits: what has completed keeps its turn due, whatever is told of it later.
_PREPARED: Final = "UPDATE tasks SET due = 0, prepared = ? WHERE task = ? AND due = 1"
_COMPLETED: Final = (
    "UPDATE tasks SET due = 2, completed = ?, completed_at = ?, result = ?, variant = ?,"
    " cached_from = ? WHERE task = ?"
)
_TURN: Final = "UPDATE tasks SET turn = 1 WHERE task = ?"
_STORED: Final = "UPDATE tasks SET stored = 1 WHERE task = ?"
_SETTLED: Final = (
    "DELETE FROM tasks WHERE task = ? AND due = 2 AND (turn OR conversation IS NULL)"
    " AND (stored OR NOT cache OR cached_from <> '')"
)
_ENDED: Final = "DELETE FROM tasks WHERE task = ?"
# A second task about the same input replaces one that brought nothing.
_EMBEDDING: Final = (
    "INSERT INTO embeddings (tenant, about, task) VALUES (?,?,?) ON CONFLICT DO UPDATE"
    " SET task = excluded.task, failed = '' WHERE result IS NULL"
)
_EMBEDDED: Final = "UPDATE embeddings SET result = ? WHERE task = ? AND result IS NULL"
_NOT_EMBEDDED: Final = "UPDATE embeddings SET failed = ? WHERE task = ? AND result IS NULL"
_RESPONSE: Final = "INSERT OR REPLACE INTO responses VALUES (?,?,?,?)"
_OLDEST: Final = (
    "DELETE FROM responses WHERE position <="
    " (SELECT position FROM responses ORDER BY position DESC LIMIT 1 OFFSET ?)"
)
_GROWTH: Final = "INSERT OR IGNORE INTO growths VALUES (?,?,?)"
_PROJECT: Final = (
    "INSERT OR IGNORE INTO projects (stream, tenant, project, position, changed_us)"
    " VALUES (?,?,?,?,?)"
)
_DECISION: Final = (
    "UPDATE projects SET decisions = decisions + 1, position = ?, changed_us = ? WHERE stream = ?"
)
_PREFERENCE: Final = "INSERT OR IGNORE INTO preferences VALUES (?,?)"
_PREFERRED: Final = "UPDATE projects SET position = ?, changed_us = ? WHERE stream = ?"
_STARTED: Final = (
    "INSERT OR IGNORE INTO conversations"
    " (stream, tenant, project, conversation, position, changed_us) VALUES (?,?,?,?,?,?)"
)
_IN_PROJECT: Final = (
    "UPDATE projects SET conversations = conversations + 1, position = ?, changed_us = ?"
    " WHERE tenant = ? AND project = ?"
)
_APPENDED: Final = (
    "UPDATE conversations SET turns = turns + 1, position = ?, changed_us = ? WHERE stream = ?"
)


class ContextProjection:
    """Implements `eventstore.projections.Projection`; keeps the latest `responses` responses."""

    name = "context"
    version = 1
    topics = frozenset(topic.rpartition(".v")[0] for topic in kinds.TYPES)
    codec = EventCodec(kinds.TYPES)

    def __init__(self, responses: int) -> None:
        self._responses = responses
        self.changed_at = 0
        """Position of the last fact that changed a row."""

    def create(self, db: sqlite3.Connection) -> None:
        for statement in _SCHEMA:
            db.execute(statement)

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        before = db.total_changes
        for fact in facts:
            self._take(db, fact)
        if db.total_changes != before:
            self.changed_at = facts[-1].recorded.position

    def _take(self, db: sqlite3.Connection, fact: Fact) -> None:
        task = str(fact.recorded.stream)
        match fact.event:
            case kinds.Accepted() as event:
                _accept(db, fact, event)
            case kinds.Prepared() as event:
                db.execute(_PREPARED, (_json(event.payload), task))
            case kinds.Completed() as event:
                result = _json(event.result)
                end = (fact.recorded.position, event.at, result, event.variant, event.cached_from)
                db.execute(_COMPLETED, (*end, task))
                # A task from the cache without a conversation leaves nothing to do.
                db.execute(_SETTLED, (task,))
                db.execute(_EMBEDDED, (result, task))
            case kinds.EndedWithoutResult():
                db.execute(_ENDED, (task,))
                name = fact.recorded.type.split(".")[1]
                db.execute(_NOT_EMBEDDED, (name, task))
            case ResponseCached() as event:
                self._cache(db, fact, event)
            case ContextPoolGrown() as event:
                db.execute(_GROWTH, (fact.recorded.position, event.pool, event.factor))
            case _:
                _take_aggregate(db, fact)

    def _cache(self, db: sqlite3.Connection, fact: Fact, event: ResponseCached) -> None:
        stored = cast("str", _json(event))
        db.execute(_RESPONSE, (event.key, fact.recorded.position, event.expires_at, stored))
        db.execute(_OLDEST, (self._responses,))
        db.execute(_STORED, (event.task,))
        db.execute(_SETTLED, (event.task,))


def _accept(db: sqlite3.Connection, fact: Fact, event: kinds.Accepted) -> None:
    task = str(fact.recorded.stream)
    if event.source == SOURCE:
        about = _task_id(event.message_id.rpartition(":")[2])
        if about is not None:
            db.execute(_EMBEDDING, (event.tenant, about, task))
    if event.conversation is None and not event.cache:
        return
    db.execute(
        _ACCEPTED,
        (
            task, fact.recorded.position, event.at, event.tenant, event.pool, event.family,
            _json(event.variants), _json(event.payload), _json(event.parameters), event.project,
            event.conversation, event.context_tokens, event.cache,
        ),
    )  # fmt: skip


def _take_aggregate(db: sqlite3.Connection, fact: Fact) -> None:
    recorded, stream = fact.recorded, str(fact.recorded.stream)
    change = (recorded.position, recorded.time_us)
    match fact.event:
        case kinds.ProjectCreated() as event:
            db.execute(_PROJECT, (stream, event.tenant, event.name, *change))
        case kinds.DecisionRecorded():
            db.execute(_DECISION, (*change, stream))
        case kinds.PreferenceRecorded() as event:
            db.execute(_PREFERENCE, (stream, event.preference.key))
            db.execute(_PREFERRED, (*change, stream))
        case kinds.ConversationStarted() as event:
            project = event.project or None
            db.execute(_STARTED, (stream, event.tenant, project, event.name, *change))
            db.execute(_IN_PROJECT, (*change, event.tenant, project))
        case kinds.TurnAppended() as event:
            db.execute(_APPENDED, (*change, stream))
            db.execute(_TURN, (str(event.turn.task),))
            db.execute(_SETTLED, (str(event.turn.task),))
        case _:
            return


def _json(value: BlobRef | ResponseCached | tuple[str, ...] | dict[str, str] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _task_id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
