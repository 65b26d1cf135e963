"""The table of dead letters: a projection, and the rows that it answers questions with."""

import sqlite3
from collections.abc import Sequence
from typing import Final, cast

import msgspec

from pointsman.contracts.events import DeadLetterRecorded, DeadLetterRedriven
from pointsman.contracts.queries import DeadLetterRow, ListDeadLetters
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.projections import Fact

MAX_ROWS: Final = 1000

_SCHEMA: Final = """CREATE TABLE dead_letters (
    position INTEGER PRIMARY KEY, dead_letter TEXT NOT NULL UNIQUE, at REAL NOT NULL,
    tenant TEXT NOT NULL, subject TEXT NOT NULL, message_id TEXT NOT NULL, code TEXT NOT NULL,
    detail TEXT NOT NULL, deliveries INTEGER NOT NULL, redriven_by TEXT, redriven_task TEXT)"""

# A redriven message that fails again is recorded again on its stream, as a letter of today.
_RECORDED: Final = "INSERT OR REPLACE INTO dead_letters VALUES (?,?,?,?,?,?,?,?,?,NULL,NULL)"
_REDRIVEN: Final = (
    "UPDATE dead_letters SET redriven_by = ?, redriven_task = ? WHERE dead_letter = ?"
)
_NEWEST: Final = """
    SELECT json_group_array(json_object(
        'dead_letter', dead_letter, 'at', at, 'position', position, 'tenant', tenant,
        'subject', subject, 'message_id', message_id, 'code', code, 'detail', detail,
        'deliveries', deliveries, 'redriven_by', redriven_by, 'redriven_task', redriven_task))
    FROM (SELECT * FROM dead_letters ORDER BY position DESC LIMIT ?)"""

_rows_decoder: Final = msgspec.json.Decoder(list[DeadLetterRow])


class DeadLetterProjection:
    """Implements `eventstore.projections.Projection`: one row per message that was set aside."""

    name = "dead_letters"
    version = 1
    topics = frozenset({"dead_letter.recorded", "dead_letter.redriven"})
    codec = EventCodec(
        {
            "dead_letter.recorded.v1": DeadLetterRecorded,
            "dead_letter.redriven.v1": DeadLetterRedriven,
        }
    )

    def create(self, db: sqlite3.Connection) -> None:
        db.execute(_SCHEMA)

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        for fact in facts:
            letter = str(fact.recorded.stream)
            match fact.event:
                case DeadLetterRecorded() as event:
                    row = (event.at, fact.recorded.tenant, event.subject, event.message_id)
                    end = (event.code, event.detail, event.deliveries)
                    db.execute(_RECORDED, (fact.recorded.position, letter, *row, *end))
                case DeadLetterRedriven() as event:
                    db.execute(_REDRIVEN, (event.by, event.task, letter))
                case _:
                    continue


def list_dead_letters(db: sqlite3.Connection, query: ListDeadLetters) -> list[DeadLetterRow]:
    """Newest first."""
    limit = min(max(query.limit, 1), MAX_ROWS)
    document = db.execute(_NEWEST, (limit,)).fetchone()
    return _rows_decoder.decode(cast("str", document[0]))
