"""One transaction of the log, as the writing connection runs it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import postgres_statements as sql
from pointsman.eventstore.append_group import AppendGroup, command_keys, event_ids
from pointsman.eventstore.event_chain import NO_LINK
from pointsman.eventstore.log_state import (
    CommandKey,
    KnownCommand,
    LogEnd,
    LogState,
    Whereabouts,
)
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Committed,
    EventIdInUseError,
    Leader,
    NewEvent,
)
from pointsman.eventstore.postgres_connections import Connection, Row

_EVENT_COLUMNS: Final = 10
_INBOX_COLUMNS: Final = 7

# No log ends here, so that everything is read.
_UNKNOWN: Final = -1

_MANY: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a committed transaction did and found."""

    answers: Sequence[AppendAnswer | EventIdInUseError]
    own: Sequence[Committed]
    """Events of this process, with those whose commit was in doubt until now."""
    followed: Sequence[Committed]
    """Every event beyond `after`, whoever wrote it."""
    after: int | None


class PostgresTransaction:
    """Decides and writes groups of appends; `clock` stands in for the database's, for tests."""

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        self._clock = clock
        self._state = LogState()
        self._remembered = _UNKNOWN
        self.commit_sent = False
        """Whether the last transaction may have been committed although it failed."""

    def forget(self) -> None:
        """Read everything again: the connection is another one or a transaction failed."""
        self._remembered = _UNKNOWN

    async def run(
        self,
        connection: Connection,
        appends: Sequence[Append],
        doubtful: Mapping[bytes, NewEvent],
        followed: int | None,
    ) -> Outcome:
        """Commit the appends; `doubtful` are events that may have landed unheard of.

        Raises what asyncpg does; then nothing has landed unless `commit_sent`.
        """
        try:
            return await self._run(connection, appends, doubtful, followed, check=False)
        except asyncpg.UniqueViolationError:
            # Somebody's event id is taken: look for whose, so that the others are not refused too.
            self.forget()
            await connection.execute("ROLLBACK")
            return await self._run(connection, appends, doubtful, followed, check=True)

    async def _run(
        self,
        connection: Connection,
        appends: Sequence[Append],
        doubtful: Mapping[bytes, NewEvent],
        followed: int | None,
        *,
        check: bool,
    ) -> Outcome:
        self.commit_sent = False
        await connection.execute(sql.BEGIN)
        commands, now_us = await self._read(connection, appends)
        landed = await _events(connection, doubtful)
        whereabouts = _whereabouts(doubtful, landed)
        if check:
            ids = event_ids(appends)
            whereabouts |= _whereabouts(ids, await _events(connection, ids))
        missed = await self._missed(connection, followed)
        group, answers = await self._decide(connection, appends, commands, whereabouts, now_us)
        await _write(connection, group)
        await self._commit(connection)
        group.advance(self._state)
        self._remembered = self._state.end.position
        own = {event.id: Committed(event, doubtful[event.id.bytes].event) for event in landed}
        others = [own.get(event.id) or Committed(event, None) for event in missed]
        return Outcome(
            answers,
            own=[*own.values(), *group.committed],
            followed=[*others, *group.committed],
            after=followed,
        )

    async def _missed(self, connection: Connection, followed: int | None) -> list[Recorded]:
        if followed is None or self._state.end.position <= followed:
            return []
        rows = await connection.fetch(sql.READ, followed, _MANY)
        return [sql.recorded(row) for row in rows]

    async def _decide(
        self,
        connection: Connection,
        appends: Sequence[Append],
        commands: Mapping[CommandKey, KnownCommand],
        whereabouts: Mapping[bytes, Whereabouts | None],
        now_us: int,
    ) -> tuple[AppendGroup, Sequence[AppendAnswer | EventIdInUseError]]:
        while True:
            group = AppendGroup(self._state, commands, whereabouts, now_us=now_us)
            answers = [group.append(append) for append in appends]
            unknown = group.unknown_ids
            if not unknown:
                return group, answers
            found = _whereabouts(unknown, await _events(connection, unknown))
            whereabouts = {**whereabouts, **found}

    async def _commit(self, connection: Connection) -> None:
        self.commit_sent = True
        status = await connection.execute("COMMIT")
        self.commit_sent = False
        if status != "COMMIT":
            # What a server answers that had given the transaction up already.
            raise asyncpg.InFailedSQLTransactionError(status)

    async def _read(
        self, connection: Connection, appends: Sequence[Append]
    ) -> tuple[dict[CommandKey, KnownCommand], int]:
        pools = [append.take_over.pool for append in appends if append.take_over is not None]
        if pools:
            await connection.fetch(sql.LOCK_LEADERS, pools)
        state = self._state
        state.make_room()
        streams = {
            event.stream.bytes: event.stream for append in appends for event in append.events
        }
        known = [stream for key, stream in streams.items() if key in state.heads]
        new = [stream for key, stream in streams.items() if key not in state.heads]
        keys = command_keys(appends)
        asked = [[key[part] for key in keys] for part in range(3)]
        row = await connection.fetchrow(sql.STATE, self._remembered, new, known, *asked)
        assert row is not None, "a SELECT without WHERE gives a row"  # noqa: S101 - for the types
        end = LogEnd(row[1] or 0, row[2] or 0, row[3] or NO_LINK)
        if end.position != self._remembered:
            state.heads.clear()
            state.heads.update(dict.fromkeys(streams, 0))
            state.end = end
        else:
            state.heads.update((stream.bytes, 0) for stream in new)
        state.heads.update(
            (stream.bytes, version) for stream, version in _rows(row, "streams", "versions")
        )
        state.leaders = {
            pool: Leader(pool, epoch, holder, left_s)
            for pool, epoch, holder, left_s in _rows(row, "pools", "epochs", "holders", "left_s")
        }
        commands = {
            (found[0], found[1], found[2]): (found[3], found[4], found[5])
            for found in _rows(
                row, "consumers", "tenants", "messages", "hashes", "positions", "replies"
            )
        }
        return commands, row[0] if self._clock is None else self._clock()


def _rows(row: Row, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a part of the state; an aggregate of none is NULL."""
    return zip(*(row[column] or () for column in columns), strict=True)


async def _events(connection: Connection, ids: Collection[bytes]) -> list[Recorded]:
    if not ids:
        return []
    rows = await connection.fetch(sql.READ_IDS, [UUID(bytes=id) for id in ids])
    return [sql.recorded(row) for row in rows]


def _whereabouts(
    ids: Collection[bytes], found: Sequence[Recorded]
) -> dict[bytes, Whereabouts | None]:
    there: dict[bytes, Whereabouts | None] = dict.fromkeys(ids)
    there.update(
        (event.id.bytes, (event.stream.bytes, event.version, event.position)) for event in found
    )
    return there


async def _write(connection: Connection, group: AppendGroup) -> None:
    if group.events or group.inbox:
        columns = [*_columns(group.events, _EVENT_COLUMNS), *_columns(group.inbox, _INBOX_COLUMNS)]
        columns[0] = [each.recorded.stream for each in group.committed]
        columns[5] = [each.recorded.id for each in group.committed]
        await connection.execute(sql.WRITE, *columns)
    for leader in group.elections.values():
        await connection.execute(
            sql.ELECT, leader.pool, leader.epoch, leader.holder, leader.expires_in_s
        )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[Sequence[object]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width
