"""Decides the appends of one transaction in their order. Pure: whoever calls it reads and writes.

Both stores decide with it. What it needs to know is read under the append lock; what it accepted
is written in the same transaction.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.event_chain import link
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
    Appended,
    Command,
    Committed,
    DuplicateCommand,
    EventIdInUseError,
    Fenced,
    Held,
    Leader,
    NewEvent,
    VersionConflict,
)

EventRow = tuple[bytes, int, str, bytes, int, bytes, int, str, int, bytes]
"""Stream, version, topic, state, position, event id, recorded_at, tenant, epoch, chain."""

InboxRow = tuple[str, str, str, bytes, int, bytes, int]
"""Command key, request hash, position, reply, recorded_at."""


class AppendGroup:
    """Used once: `append` for each append in order.

    While `unknown_ids` is not empty afterwards, some answers may be wrong: the caller looks these
    up and decides the group again. `whereabouts` has what was looked up, None for what is not
    there; ids that it has are checked, of the others the database refuses a second use.
    """

    def __init__(
        self,
        state: LogState,
        commands: Mapping[CommandKey, KnownCommand],
        whereabouts: Mapping[bytes, Whereabouts | None],
        *,
        now_us: int,
    ) -> None:
        self._before = state
        self._whereabouts = whereabouts
        self._now_us = now_us
        self._commands = dict(commands)
        self._leaders = dict(state.leaders)
        self._heads: dict[bytes, int] = {}
        self._refused: set[bytes] = set()
        self._here: dict[bytes, Whereabouts] = {}
        self._position = state.end.position
        self._time_us = state.end.time_us
        self._link = state.end.link
        self.unknown_ids: set[bytes] = set()
        self.events: list[EventRow] = []
        self.inbox: list[InboxRow] = []
        self.elections: dict[str, Leader] = {}
        """New leader row by pool."""
        self.committed: list[Committed] = []

    def append(self, append: Append) -> AppendAnswer | EventIdInUseError:
        """Accept or refuse; an accepted append counts for those that follow."""
        streams = [event.stream.bytes for event in append.events]
        refusal = (
            self._known_command(append.command)
            or self._fence(append)
            or self._conflict(append.events, streams)
        )
        if refusal is None:
            taken = self._taken_id(append.events) if self._whereabouts else None
            if taken is None:
                return self._accept(append, streams)
            self._refused.update(streams)
            return taken
        # What looks like a refusal is a repetition if these very events have landed before.
        landed = self._landed(append.events, streams)
        if landed is not None:
            return landed
        self._refused.update(streams)
        return refusal

    def advance(self, state: LogState) -> None:
        """Make what was accepted known to later groups."""
        state.end = LogEnd(self._position, self._time_us, self._link)
        state.heads.update(self._heads)
        state.leaders = self._leaders

    def _known_command(self, command: Command | None) -> DuplicateCommand | None:
        if command is None:
            return None
        known = self._commands.get(command_key(command))
        if known is None:
            return None
        request_hash, position, reply = known
        return DuplicateCommand(position, reply, same_request=request_hash == command.request_hash)

    def _fence(self, append: Append) -> Fenced | Held | None:
        leadership, take_over = append.leadership, append.take_over
        if leadership is not None:
            leader = self._leaders.get(leadership.pool)
            epoch = 0 if leader is None else leader.epoch
            return None if leadership.epoch == epoch else Fenced(epoch)
        if take_over is None:
            return None
        leader = self._leaders.get(take_over.pool)
        if leader is None:
            return None if take_over.epoch == 1 else Fenced(0)
        if leader.epoch != take_over.epoch - 1:
            return Fenced(leader.epoch)
        if leader.expires_in_s > 0 and leader.holder != take_over.holder:
            return Held(leader.holder, leader.expires_in_s)
        return None

    def _conflict(
        self, events: Sequence[NewEvent], streams: Sequence[bytes]
    ) -> VersionConflict | None:
        expected: dict[bytes, int] = {}
        for event, stream in zip(events, streams, strict=True):
            head = self._heads.get(stream)
            if head is None:
                head = self._before.heads[stream]
            version = expected.get(stream, head) + 1
            if event.version != version or stream in self._refused:
                return VersionConflict(event.stream, head)
            expected[stream] = version
        return None

    def _landed(self, events: Sequence[NewEvent], streams: Sequence[bytes]) -> Appended | None:
        self._index()
        ids = [event.id.bytes for event in events]
        unknown = [id for id in ids if id not in self._here and id not in self._whereabouts]
        if unknown:
            self.unknown_ids.update(unknown)
            return None
        positions: list[int] = []
        for event, event_id, stream in zip(events, ids, streams, strict=True):
            known = self._here.get(event_id) or self._whereabouts[event_id]
            if known is None or known[:2] != (stream, event.version):
                return None
            positions.append(known[2])
        return Appended(tuple(positions)) if positions else None

    def _taken_id(self, events: Sequence[NewEvent]) -> EventIdInUseError | None:
        self._index()
        own: set[bytes] = set()
        for event in events:
            event_id = event.id.bytes
            known = self._here.get(event_id) or self._whereabouts.get(event_id)
            if known is not None or event_id in own:
                return EventIdInUseError(str(event.id))
            own.add(event_id)
        return None

    def _index(self) -> None:
        for row in self.events[len(self._here) :]:
            self._here[row[5]] = (row[0], row[1], row[4])

    def _accept(self, append: Append, streams: Sequence[bytes]) -> Appended:
        if append.take_over is not None:
            taken = append.take_over
            lasting_s = taken.ttl_s if self._before.leads_run_out else 0.0
            leader = Leader(taken.pool, taken.epoch, taken.holder, lasting_s)
            self._leaders[taken.pool] = self.elections[taken.pool] = leader
        lead = append.leadership or append.take_over
        first = self._position + 1
        self._record(append.events, streams, epoch=0 if lead is None else lead.epoch)
        if append.command is not None:
            self._take(append.command)
        return Appended(tuple(range(first, self._position + 1)))

    def _record(self, events: Sequence[NewEvent], streams: Sequence[bytes], *, epoch: int) -> None:
        position, time_us, chain = self._position, self._time_us, self._link
        for event, stream in zip(events, streams, strict=True):
            position += 1
            time_us = max(time_us + 1, self._now_us)
            event_id = event.id.bytes
            recorded = _recorded(event, position, time_us, epoch)
            chain = link(chain, recorded)
            self.committed.append(Committed(recorded, event.event))
            self._heads[stream] = event.version
            self.events.append(
                (
                    stream,
                    event.version,
                    event.topic,
                    event.state,
                    position,
                    event_id,
                    time_us,
                    event.tenant,
                    epoch,
                    chain,
                )
            )
        self._position, self._time_us, self._link = position, time_us, chain

    def _take(self, command: Command) -> None:
        position = self._position
        key = command_key(command)
        self._commands[key] = (command.request_hash, position, command.reply)
        self.inbox.append((*key, command.request_hash, position, command.reply, self._now_us))


def command_key(command: Command) -> CommandKey:
    return command.consumer, command.tenant, command.message_id


def command_keys(appends: Iterable[Append]) -> list[CommandKey]:
    """Commands of a group, which are looked up before it is decided."""
    return [command_key(append.command) for append in appends if append.command is not None]


def event_ids(appends: Iterable[Append]) -> list[bytes]:
    """Ids of a group's events, each once."""
    return list(dict.fromkeys(event.id.bytes for append in appends for event in append.events))


def _recorded(event: NewEvent, position: int, time_us: int, epoch: int) -> Recorded:
    # By position, because names cost time here.
    return Recorded(
        position,
        event.id,
        event.stream,
        event.version,
        event.topic,
        time_us,
        event.tenant,
        epoch,
        msgspec.Raw(event.state),
    )
