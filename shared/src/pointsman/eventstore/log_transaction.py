"""One transaction of the log, as the writer thread runs it."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pointsman.eventstore import log_statements as sql
from pointsman.eventstore.append_group import AppendGroup, command_keys, event_ids
from pointsman.eventstore.archive_rows import DeleteArchived, delete_archived
from pointsman.eventstore.log_state import LogState, Whereabouts
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Committed,
    EventIdInUseError,
    FeedFloor,
)
from pointsman.runtime.waiting_jobs import Batch


@dataclass(frozen=True, slots=True)
class PruneInbox:
    """Delete what is old among the `limit` oldest rows; answered with how many that were."""

    before_us: int
    limit: int


Job = Append | FeedFloor | PruneInbox | DeleteArchived
Answer = AppendAnswer | int


class LogTransaction:
    """Implements `group_commit.Transaction` for the tables of `schema.sql`.

    `announce` gets the committed events of each batch, on the event loop.
    """

    def __init__(
        self, announce: Callable[[Sequence[Committed]], None], clock: Callable[[], int]
    ) -> None:
        self._announce = announce
        self._clock = clock
        self._state = LogState(leads_run_out=False)
        self._data_version = -1

    def forget(self) -> None:
        self._data_version = -1

    def run(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> Batch[Answer]:
        appends = [job for job in jobs if isinstance(job, Append)]
        try:
            group, answers = self._append(connection, appends, {})
        except sqlite3.IntegrityError:
            # Somebody's event id is taken: look for whose, so that the others are not refused too.
            self.forget()
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            found = _whereabouts(connection, event_ids(appends))
            group, answers = self._append(connection, appends, found)
        of_appends = iter(answers)
        return Batch(
            [
                next(of_appends) if isinstance(job, Append) else _administer(connection, job)
                for job in jobs
            ],
            partial(self._announce, group.committed) if group.committed else None,
        )

    def _append(
        self,
        connection: sqlite3.Connection,
        appends: Sequence[Append],
        whereabouts: dict[bytes, Whereabouts | None],
    ) -> tuple[AppendGroup, list[AppendAnswer | EventIdInUseError]]:
        self._refresh(connection, appends)
        commands = sql.select_commands(connection, command_keys(appends))
        while True:
            group = AppendGroup(self._state, commands, whereabouts, now_us=self._clock())
            answers = [group.append(append) for append in appends]
            if not group.unknown_ids:
                break
            whereabouts = whereabouts | _whereabouts(connection, list(group.unknown_ids))
        sql.insert_events(connection, group.events)
        sql.insert_commands(connection, group.inbox)
        for leader in group.elections.values():
            sql.upsert_leader(connection, leader)
        group.advance(self._state)
        return group, answers

    def _refresh(self, connection: sqlite3.Connection, appends: Sequence[Append]) -> None:
        state = self._state
        # SQLite's data version changes when another connection commits.
        version = int(connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._data_version:
            self._data_version = version
            state.heads.clear()
            state.end = sql.select_end(connection)
            state.leaders = sql.select_leaders(connection)
        state.make_room()
        streams = (event.stream.bytes for append in appends for event in append.events)
        unknown = [stream for stream in dict.fromkeys(streams) if stream not in state.heads]
        if unknown:
            state.heads.update(dict.fromkeys(unknown, 0))
            state.heads.update(sql.select_heads(connection, unknown))


def _whereabouts(
    connection: sqlite3.Connection, ids: Sequence[bytes]
) -> dict[bytes, Whereabouts | None]:
    return dict.fromkeys(ids) | sql.select_event_ids(connection, ids)


def _administer(
    connection: sqlite3.Connection, job: FeedFloor | PruneInbox | DeleteArchived
) -> int:
    match job:
        case FeedFloor():
            sql.upsert_floor(connection, job)
            return job.position
        case PruneInbox():
            return sql.delete_commands(connection, before_us=job.before_us, limit=job.limit)
        case DeleteArchived():
            return delete_archived(connection, job)
