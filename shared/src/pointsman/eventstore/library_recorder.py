"""Opens our log with the `eventsourcing` library itself, for migrations, notebooks and tests.

An `Application` of the library uses it with the setting
`APPLICATION_RECORDER_TOPIC=pointsman.eventstore.library_recorder:LogRecorder` beside
`PERSISTENCE_MODULE=eventsourcing.sqlite` and `SQLITE_DBNAME=<log>`. The library's own recorder
reads the table but cannot append: its SQLite INSERT names no columns, so it fits a table of four
columns only, and it reads positions from the implicit rowid, which VACUUM may renumber.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import Notification
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

# One statement, so that the time is set under the write lock of its transaction.
_INSERT: Final = (
    "INSERT INTO stored_events (originator_id, originator_version, topic, state, recorded_at)"
    " SELECT ?, ?, ?, ?, max("
    " CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER), 1 + coalesce("
    "(SELECT recorded_at FROM stored_events ORDER BY notification_id DESC LIMIT 1), 0))"
)
_COLUMNS: Final = "notification_id, originator_id, originator_version, topic, state"


class LogRecorder(SQLiteApplicationRecorder):
    """The library's recorder with the column names of `schema.sql`; creates no tables.

    It does not take the lock of an appending process: what it writes is safe beside one, but the
    commit listeners of that process do not see it.
    """

    def __init__(
        self, datastore: SQLiteDatastore, events_table_name: str = "stored_events"
    ) -> None:
        super().__init__(datastore, events_table_name)
        self.insert_events_statement = _INSERT

    def construct_create_table_statements(self) -> list[str]:
        return []

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        first = 0 if start is None else start if inclusive_of_start else start + 1
        conditions = ["notification_id >= ?"]
        parameters: list[Any] = [first]
        if stop is not None:
            conditions.append("notification_id <= ?")
            parameters.append(stop)
        if topics:
            conditions.append(f"topic IN ({', '.join('?' * len(topics))})")
            parameters.extend(topics)
        statement = (
            f"SELECT {_COLUMNS} FROM stored_events WHERE {' AND '.join(conditions)}"  # noqa: S608 - placeholders only
            " ORDER BY notification_id LIMIT ?"
        )
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(statement, (*parameters, limit))
            return [
                Notification(UUID(stream), version, topic, state, position)
                for position, stream, version, topic, state in cursor.fetchall()
            ]
