"""Questions to the view of this service."""

import sqlite3
from collections.abc import Sequence
from typing import Final, TypeVar, cast
from uuid import UUID

import msgspec

from pointsman.context.domain.tasks import TaskFacts
from pointsman.context.ports import Embedding, Growth
from pointsman.contracts.context import (
    ConversationRow,
    ListConversations,
    ListProjects,
    ProjectRow,
)
from pointsman.contracts.events import ResponseCached
from pointsman.contracts.message import BlobRef, Message

MAX_ROWS: Final = 1000

_FACTS: Final = """json_object(
    'task', task, 'accepted', accepted, 'accepted_at', accepted_at, 'tenant', tenant, 'pool', pool,
    'family', family, 'variants', json(variants), 'input', json(input),
    'parameters', json(parameters), 'project', project, 'conversation', conversation,
    'context_tokens', context_tokens, 'cache', json(iif(cache, 'true', 'false')),
    'prepared', json(prepared), 'completed', completed, 'completed_at', completed_at,
    'result', json(result), 'variant', variant, 'cached_from', cached_from,
    'turn', json(iif(turn, 'true', 'false')), 'stored', json(iif(stored, 'true', 'false')))"""
_TO_PREPARE: Final = (
    f"SELECT json_group_array({_FACTS}) FROM (SELECT * FROM tasks"  # noqa: S608 - constant names
    " WHERE due = 1 AND accepted_at > ? ORDER BY accepted_at LIMIT ?)"
)
_TO_SETTLE: Final = (
    f"SELECT json_group_array({_FACTS}) FROM (SELECT * FROM tasks"  # noqa: S608 - constant names
    " WHERE due = 2 ORDER BY completed LIMIT ?)"
)
_OPEN: Final = (
    "SELECT task FROM tasks WHERE due < 2"
    " UNION SELECT task FROM embeddings WHERE result IS NULL AND failed = ''"
)
_EMBEDDINGS: Final = (
    "SELECT about, result, failed FROM embeddings WHERE tenant = ?"
    " AND about IN (SELECT value FROM json_each(?))"
)
_RESPONSE: Final = "SELECT event FROM responses WHERE key = ?"
_RESPONSES: Final = "SELECT count(*) FROM responses WHERE expires_at > ?"
_GROWTHS: Final = (
    "SELECT position, factor FROM growths WHERE pool = ? AND position > ? ORDER BY position"
)
_PROJECTS: Final = """
    SELECT json_group_array(json_object(
        'tenant', tenant, 'project', project, 'decisions', decisions,
        'preferences', (SELECT count(*) FROM preferences WHERE preferences.stream = newest.stream),
        'conversations', conversations, 'position', position, 'changed_at', changed_us / 1e6))
    FROM (SELECT * FROM projects WHERE tenant = ? ORDER BY position DESC LIMIT ?) AS newest"""
_CONVERSATIONS: Final = """
    SELECT json_group_array(json_object(
        'tenant', tenant, 'conversation', conversation, 'turns', turns, 'position', position,
        'changed_at', changed_us / 1e6, 'project', project))
    FROM (SELECT * FROM conversations WHERE tenant = ? AND (? IS NULL OR project = ?)
          ORDER BY position DESC LIMIT ?)"""

_facts: Final = msgspec.json.Decoder(list[TaskFacts])
_ref: Final = msgspec.json.Decoder(BlobRef)
_response: Final = msgspec.json.Decoder(ResponseCached)
_projects: Final = msgspec.json.Decoder(list[ProjectRow])
_conversations: Final = msgspec.json.Decoder(list[ConversationRow])

Row = TypeVar("Row", bound=Message)


def due(db: sqlite3.Connection, accepted_after: float, limit: int) -> list[TaskFacts]:
    """In the order of the events that demand something."""
    rows = _rows(db, _facts, _TO_PREPARE, (accepted_after, limit))
    rows += _rows(db, _facts, _TO_SETTLE, (limit,))
    return sorted(rows, key=lambda each: each.order)


def open_tasks(db: sqlite3.Connection) -> list[UUID]:
    """Those whose end concerns the view."""
    return [UUID(cast("str", task)) for (task,) in db.execute(_OPEN)]


def embeddings(db: sqlite3.Connection, tenant: str, tasks: Sequence[UUID]) -> dict[UUID, Embedding]:
    wanted = msgspec.json.encode(tasks).decode()
    return {
        UUID(cast("str", about)): Embedding(
            None if result is None else _ref.decode(cast("str", result)), cast("str", failed)
        )
        for about, result, failed in db.execute(_EMBEDDINGS, (tenant, wanted))
    }


def response(db: sqlite3.Connection, key: str) -> ResponseCached | None:
    row = db.execute(_RESPONSE, (key,)).fetchone()
    return None if row is None else _response.decode(cast("str", row[0]))


def responses(db: sqlite3.Connection, at: float) -> int:
    return int(db.execute(_RESPONSES, (at,)).fetchone()[0])


def growths(db: sqlite3.Connection, pool: str, after: int) -> list[Growth]:
    rows = db.execute(_GROWTHS, (pool, after))
    return [Growth(cast("int", position), cast("float", factor)) for position, factor in rows]


def projects(db: sqlite3.Connection, query: ListProjects) -> list[ProjectRow]:
    return _rows(db, _projects, _PROJECTS, (query.tenant, _limit(query.limit)))


def conversations(db: sqlite3.Connection, query: ListConversations) -> list[ConversationRow]:
    wanted = (query.tenant, query.project, query.project, _limit(query.limit))
    return _rows(db, _conversations, _CONVERSATIONS, wanted)


def _rows(
    db: sqlite3.Connection,
    decoder: msgspec.json.Decoder[list[Row]],
    statement: str,
    parameters: Sequence[object],
) -> list[Row]:
    document = db.execute(statement, parameters).fetchone()
    return decoder.decode(cast("str", document[0]))


def _limit(limit: int) -> int:
    return min(max(limit, 1), MAX_ROWS)
