"""The table of a shard of blobs: its statements and the way to its present form."""

import sqlite3
from enum import StrEnum
from typing import Final

SCHEMA_VERSION: Final = 2
"""In `PRAGMA user_version`."""


class BlobKind(StrEnum):
    """What a content is for, which says how long it is kept."""

    PAYLOAD = "payload"
    RESULT = "result"
    CHECKPOINT = "checkpoint"
    """The newest one of an open task is used; those before it are of no use any more."""
    DEAD_LETTER = "dead_letter"
    KEPT = "kept"
    """Until somebody deletes it by hand: what conversations, projects and ratings are made of."""


_CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS blob (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
    " tenant TEXT NOT NULL, data BLOB NOT NULL, kind TEXT NOT NULL DEFAULT 'kept',"
    " used_at INTEGER NOT NULL DEFAULT 0, swept_at INTEGER)"
)
_BY_USE: Final = "CREATE INDEX IF NOT EXISTS blob_by_use ON blob (kind, used_at)"
_FROM_1: Final = (
    "ALTER TABLE blob ADD COLUMN kind TEXT NOT NULL DEFAULT 'kept'",
    "ALTER TABLE blob ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE blob ADD COLUMN swept_at INTEGER",
)

# What is put again is used again. Of two purposes the longer one holds; the row changes at most
# once an hour, so that a content that is put with every task costs no write each time.
INSERT: Final = """
INSERT INTO blob (digest, tenant, data, kind, used_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (digest) DO UPDATE SET
    kind = CASE WHEN 'kept' IN (kind, excluded.kind) THEN 'kept'
        WHEN 'dead_letter' IN (kind, excluded.kind) THEN 'dead_letter'
        WHEN kind = 'checkpoint' THEN excluded.kind ELSE kind END,
    data = CASE WHEN swept_at IS NULL THEN data ELSE excluded.data END,
    used_at = max(used_at, excluded.used_at), swept_at = NULL
WHERE swept_at IS NOT NULL OR used_at < excluded.used_at - 3600
    OR (kind = 'checkpoint' AND excluded.kind <> 'checkpoint')
    OR (kind <> 'kept' AND excluded.kind IN ('kept', 'dead_letter') AND kind <> excluded.kind)
"""
USE: Final = "UPDATE blob SET used_at = ? WHERE digest = ? AND tenant = ? AND used_at < ?"

# A row stays for as long again, so that who asks for the content is told what became of it.
SWEEP: Final = (
    "UPDATE blob SET data = x'', swept_at = ? WHERE id IN (SELECT id FROM blob"
    " WHERE kind = ? AND used_at < ? AND swept_at IS NULL ORDER BY used_at LIMIT ?)"
)
FORGET: Final = (
    "DELETE FROM blob WHERE id IN (SELECT id FROM blob"
    " WHERE kind = ? AND used_at < ? AND swept_at IS NOT NULL ORDER BY used_at LIMIT ?)"
)

_SELECT: Final = "SELECT data, swept_at FROM blob WHERE digest = ? AND tenant = ?"
_SELECT_1: Final = "SELECT data, NULL FROM blob WHERE digest = ? AND tenant = ?"


def create_table(connection: sqlite3.Connection) -> None:
    """Make an empty file a shard, and an older shard one of this release."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) == 1:
            for statement in _FROM_1:
                connection.execute(statement)
        connection.execute(_CREATE)
        connection.execute(_BY_USE)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def select_statement(connection: sqlite3.Connection) -> str:
    """Content, and when it was swept; for a shard that may be an older one."""
    return _SELECT_1 if _version(connection) == 1 else _SELECT


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
