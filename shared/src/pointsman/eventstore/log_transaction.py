"""One transaction of the log, as the writer thread runs it."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pointsman.eventstore import log_statements as sql
from pointsman.eventstore.append_group import AppendGroup
from pointsman.eventstore.log_state import LogState
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Committed,
    EventIdInUseError,
    FeedFloor,
)
from pointsman.runtime.group_commit import Batch


@dataclass(frozen=True, slots=True)
class Lead:
    """Answered with the new epoch."""

    pool: str
    holder: str


@dataclass(frozen=True, slots=True)
class PruneInbox:
    """Delete what is old among the `limit` oldest rows; answered with how many that were."""

    before_us: int
    limit: int


Job = Append | Lead | FeedFloor | PruneInbox
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
        self._state = LogState()

    def forget(self) -> None:
        self._state.forget()

    def run(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> Batch[Answer]:
        answers: list[Answer | Exception]
        try:
            answers, committed = self._execute(connection, jobs, set())
        except sqlite3.IntegrityError:
            # Somebody's event id is taken: find whose, so that the others are not refused too.
            self.forget()
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            answers, committed = self._execute_apart(connection, jobs)
        return Batch(answers, partial(self._announce, committed) if committed else None)

    def _execute_apart(
        self, connection: sqlite3.Connection, jobs: Sequence[Job]
    ) -> tuple[list[Answer | Exception], list[Committed]]:
        answers: list[Answer | Exception] = []
        committed: list[Committed] = []
        refused: set[str] = set()
        for job in jobs:
            connection.execute("SAVEPOINT job")
            try:
                answer, events = self._execute(connection, [job], refused)
            except sqlite3.IntegrityError as error:
                self.forget()
                connection.execute("ROLLBACK TO job")
                answers.append(EventIdInUseError(str(error)))
                if isinstance(job, Append):
                    refused.update(event.stream.hex for event in job.events)
            else:
                answers += answer
                committed += events
            connection.execute("RELEASE job")
        return answers, committed

    def _execute(
        self, connection: sqlite3.Connection, jobs: Sequence[Job], refused: set[str]
    ) -> tuple[list[Answer | Exception], list[Committed]]:
        self._state.refresh(connection)
        appends = [job for job in jobs if isinstance(job, Append)]
        group = AppendGroup(connection, self._state, appends, refused, now_us=self._clock())
        answers: list[Answer | Exception] = [
            group.append(job) if isinstance(job, Append) else self._administer(connection, job)
            for job in jobs
        ]
        group.write()
        return answers, group.committed

    def _administer(
        self, connection: sqlite3.Connection, job: Lead | FeedFloor | PruneInbox
    ) -> int:
        match job:
            case Lead():
                epoch = self._state.epochs.get(job.pool, 0) + 1
                self._state.epochs[job.pool] = epoch
                sql.upsert_leader(connection, job.pool, epoch, job.holder)
                return epoch
            case FeedFloor():
                sql.upsert_floor(
                    connection, job.stream, job.incarnation, job.sequence, job.position
                )
                return job.position
            case PruneInbox():
                return sql.delete_commands(connection, before_us=job.before_us, limit=job.limit)
