"""Decides the appends of one transaction in their order, then writes what was accepted."""

import sqlite3
from collections.abc import Sequence

import msgspec

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore import log_statements as sql
from pointsman.eventstore.log_state import LogState
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Appended,
    Command,
    Committed,
    DuplicateCommand,
    Fenced,
    Leadership,
    NewEvent,
    VersionConflict,
)


class AppendGroup:
    """Used once: `append` for each append in order, then `write`.

    `refused` collects the streams whose appends are refused for the rest of the batch.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        state: LogState,
        appends: Sequence[Append],
        refused: set[str],
        *,
        now_us: int,
    ) -> None:
        self._connection = connection
        self._state = state
        self._refused = refused
        self._now_us = now_us
        self._events: list[sql.EventRow] = []
        self._inbox: list[sql.InboxRow] = []
        self.committed: list[Committed] = []
        state.remember_heads(
            connection, (event.stream.hex for append in appends for event in append.events)
        )
        keys = [_key(append.command) for append in appends if append.command is not None]
        self._commands = sql.select_commands(connection, keys)

    def append(self, append: Append) -> AppendAnswer:
        """Accept or refuse; an accepted append counts for those that follow."""
        streams = [event.stream.hex for event in append.events]
        refusal = (
            self._known_command(append.command)
            or self._fence(append.leadership)
            or self._conflict(append.events, streams)
        )
        if refusal is None:
            return self._accept(append, streams)
        # What looks like a refusal is a repetition if these very events have landed before.
        landed = self._landed(append.events, streams)
        if landed is not None:
            return landed
        self._refused.update(streams)
        return refusal

    def write(self) -> None:
        """Raises `sqlite3.IntegrityError` when an event id is taken."""
        sql.insert_events(self._connection, self._events)
        sql.insert_commands(self._connection, self._inbox)

    def _known_command(self, command: Command | None) -> DuplicateCommand | None:
        if command is None:
            return None
        known = self._commands.get(_key(command))
        if known is None:
            return None
        request_hash, position, reply = known
        return DuplicateCommand(position, reply, same_request=request_hash == command.request_hash)

    def _fence(self, leadership: Leadership | None) -> Fenced | None:
        if leadership is None:
            return None
        epoch = self._state.epochs.get(leadership.pool, 0)
        return None if leadership.epoch == epoch else Fenced(epoch)

    def _conflict(
        self, events: Sequence[NewEvent], streams: Sequence[str]
    ) -> VersionConflict | None:
        expected: dict[str, int] = {}
        for event, stream in zip(events, streams, strict=True):
            head = self._state.heads[stream]
            version = expected.get(stream, head) + 1
            if event.version != version or stream in self._refused:
                return VersionConflict(event.stream, head)
            expected[stream] = version
        return None

    def _landed(self, events: Sequence[NewEvent], streams: Sequence[str]) -> Appended | None:
        here = {row[5]: (row[0], row[1], row[4]) for row in self._events}
        ids = [event.id.bytes for event in events]
        found = sql.select_event_ids(self._connection, ids) | here
        positions: list[int] = []
        for event, event_id, stream in zip(events, ids, streams, strict=True):
            known_stream, version, position = found.get(event_id, ("", 0, 0))
            if (known_stream, version) != (stream, event.version):
                return None
            positions.append(position)
        return Appended(tuple(positions)) if positions else None

    def _accept(self, append: Append, streams: Sequence[str]) -> Appended:
        state = self._state
        epoch = 0 if append.leadership is None else append.leadership.epoch
        first = state.position + 1
        for event, stream in zip(append.events, streams, strict=True):
            position = state.position = state.position + 1
            time_us = state.time_us = max(state.time_us + 1, self._now_us)
            state.heads[stream] = event.version
            self._events.append(
                (
                    stream,
                    event.version,
                    event.topic,
                    event.state,
                    position,
                    event.id.bytes,
                    time_us,
                    event.tenant,
                    epoch,
                )
            )
            self.committed.append(
                Committed(_recorded(event, position, time_us, epoch), event.event)
            )
        if append.command is not None:
            self._take(append.command)
        return Appended(tuple(range(first, state.position + 1)))

    def _take(self, command: Command) -> None:
        position = self._state.position
        key = _key(command)
        self._commands[key] = (command.request_hash, position, command.reply)
        self._inbox.append((*key, command.request_hash, position, command.reply, self._now_us))


def _key(command: Command) -> sql.CommandKey:
    return command.consumer, command.tenant, command.message_id


def _recorded(event: NewEvent, position: int, time_us: int, epoch: int) -> Recorded:
    return Recorded(
        position=position,
        id=event.id,
        stream=event.stream,
        version=event.version,
        type=event.topic,
        time_us=time_us,
        tenant=event.tenant,
        epoch=epoch,
        data=msgspec.Raw(event.state),
    )
