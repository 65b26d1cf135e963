"""Rows of `stored_events` as SQLite gives them, and what they say."""

from typing import Any, Final
from uuid import UUID

import msgspec

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.verification import LinkedEvent

EVENT_COLUMNS: Final = (
    "notification_id, event_id, originator_id, originator_version, topic,"
    " recorded_at, tenant, leader_epoch, state"
)
LINKED_COLUMNS: Final = f"{EVENT_COLUMNS}, chain"

EventRow = tuple[Any, ...]
"""In the order of the columns."""


def recorded(row: EventRow) -> Recorded:
    """A row of `EVENT_COLUMNS`; further columns are left out."""
    return Recorded(
        position=row[0],
        id=UUID(bytes=row[1]),
        stream=UUID(hex=row[2]),
        version=row[3],
        type=row[4],
        time_us=row[5],
        tenant=row[6],
        epoch=row[7],
        data=msgspec.Raw(row[8]),
    )


def linked(row: EventRow) -> LinkedEvent:
    """A row of `LINKED_COLUMNS`."""
    return LinkedEvent(recorded(row), bytes(row[9]))
