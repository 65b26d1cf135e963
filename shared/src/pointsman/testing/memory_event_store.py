"""An event store that keeps its log in memory, for tests; nothing survives the process."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID, uuid4

import msgspec

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.archive_rows import MOVED, DeleteArchived
from pointsman.eventstore.event_chain import NO_LINK
from pointsman.eventstore.log_identity import LogIdentity
from pointsman.eventstore.ports import (
    INBOX_KEEP_S,
    Append,
    AppendAnswer,
    Appended,
    Command,
    CommitListener,
    Committed,
    DuplicateCommand,
    EventIdInUseError,
    FeedFloor,
    Fenced,
    Leader,
    Leadership,
    LogUnavailableError,
    NewEvent,
    VersionConflict,
)
from pointsman.eventstore.verification import LinkedEvent

_logger: Final = logging.getLogger(__name__)

_CommandKey = tuple[str, str, str]


def _wall_clock_us() -> int:
    return time.time_ns() // 1000


class MemoryEventStore:
    """Implements `eventstore.ports.EventStore`, written for plainness and not for speed.

    While `failure` is set, appends raise `LogUnavailableError` with it and record nothing.
    """

    def __init__(self, *, clock: Callable[[], int] = _wall_clock_us) -> None:
        self.failure: str | None = None
        self._clock = clock
        self._log: list[Recorded] = []
        self._inbox: dict[_CommandKey, tuple[bytes, int, bytes, int]] = {}
        self._leaders: dict[str, Leader] = {}
        self._identity = LogIdentity(uuid4().hex)
        self._floors: dict[str, FeedFloor] = {}
        self._listeners: list[CommitListener] = []
        self._grown = asyncio.Event()
        self._archived = ""

    async def append(
        self,
        append: Append,
        *,
        timeout_s: float = 5.0,  # noqa: ARG002 - nothing to wait for
    ) -> AppendAnswer:
        if self.failure is not None:
            raise LogUnavailableError(self.failure)
        (answer,) = self.commit([append])
        # A caller that never waits would keep every other task from running.
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def commit(self, appends: Sequence[Append]) -> list[AppendAnswer | Exception]:
        """Answer one group of appends at once, in order."""
        refused: set[UUID] = set()
        committed: list[Committed] = []
        answers: list[AppendAnswer | Exception] = []
        for append in appends:
            answer = self._answer(append, refused)
            if answer is None:
                answer = self._record(append, committed)
            elif not isinstance(answer, Appended):
                refused.update(event.stream for event in append.events)
            answers.append(answer)
        if committed:
            for listener in self._listeners:
                try:
                    listener(committed)
                except Exception:
                    _logger.exception("a commit listener failed")
            self._grown.set()
            self._grown = asyncio.Event()
        return answers

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        self._listeners = [*self._listeners, listener]

        def end() -> None:
            self._listeners = [each for each in self._listeners if each is not listener]

        return end

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        beyond = [event for event in self._log if event.position > after]
        chosen = [event for event in beyond if not topics or event.type in topics]
        return chosen[:limit]

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        return [event for event in self._log if event.stream == stream and event.version > after]

    async def head(self) -> int:
        return self._head

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while self._head <= position:
                    await self._grown.wait()
        except TimeoutError:
            return False
        return True

    async def follow(self, listener: CommitListener) -> Callable[[], None]:
        return self.on_commit(listener)

    def wake(self) -> None:
        """Nothing to do: no other process appends."""

    async def leader(self, pool: str) -> Leader | None:
        return self._leaders.get(pool)

    async def renew(self, leadership: Leadership, *, ttl_s: float) -> bool:  # noqa: ARG002 - a lead never runs out here
        if self.failure is not None:
            raise LogUnavailableError(self.failure)
        return self._epoch(leadership.pool) == leadership.epoch

    async def resign(self, leadership: Leadership) -> None:
        """Nothing to do: a lead never keeps another from leading here."""

    async def identity(self) -> LogIdentity:
        return self._identity

    async def floor(self, stream: str) -> FeedFloor | None:
        return self._floors.get(stream)

    async def set_floor(self, floor: FeedFloor) -> None:
        self._floors[floor.stream] = floor

    async def prune_inbox(self, *, keep_s: float = INBOX_KEEP_S) -> int:
        before = self._clock() - int(keep_s * 1e6)
        old = [key for key, row in self._inbox.items() if row[3] < before]
        for key in old:
            del self._inbox[key]
        return len(old)

    async def archived(self) -> str:
        return self._archived

    async def read_linked(self, streams: Sequence[UUID]) -> Sequence[LinkedEvent]:
        return [LinkedEvent(event, NO_LINK) for event in self._log if event.stream in streams]

    async def delete_archived(self, job: DeleteArchived) -> int:
        if self._archived not in {job.previous, job.segment}:
            return MOVED
        self._archived, before = job.segment, len(self._log)
        self._log = [event for event in self._log if event.position not in job.positions]
        return before - len(self._log)

    async def close(self) -> None:
        """The log stays readable."""

    def _answer(self, append: Append, refused: set[UUID]) -> AppendAnswer | Exception | None:
        """None: nothing speaks against the append."""
        refusal = self._known(append.command) or self._fenced(append)
        refusal = refusal or self._conflict(append.events, refused)
        if refusal is not None:
            return self._landed(append.events) or refusal
        taken = {event.id for event in self._log}
        for event in append.events:
            if event.id in taken:
                return EventIdInUseError(str(event.id))
            taken.add(event.id)
        return None

    def _known(self, command: Command | None) -> DuplicateCommand | None:
        row = None if command is None else self._inbox.get(_key(command))
        if command is None or row is None:
            return None
        request_hash, position, reply, _ = row
        return DuplicateCommand(position, reply, same_request=request_hash == command.request_hash)

    def _fenced(self, append: Append) -> Fenced | None:
        if append.leadership is not None:
            epoch = self._epoch(append.leadership.pool)
            return Fenced(epoch) if epoch != append.leadership.epoch else None
        if append.take_over is not None:
            epoch = self._epoch(append.take_over.pool)
            return Fenced(epoch) if epoch != append.take_over.epoch - 1 else None
        return None

    @property
    def _head(self) -> int:
        return self._log[-1].position if self._log else 0

    def _epoch(self, pool: str) -> int:
        leader = self._leaders.get(pool)
        return 0 if leader is None else leader.epoch

    def _conflict(self, events: Sequence[NewEvent], refused: set[UUID]) -> VersionConflict | None:
        heads = {event.stream: event.version for event in self._log}
        reached = dict(heads)
        for event in events:
            version = reached.get(event.stream, 0) + 1
            if event.version != version or event.stream in refused:
                return VersionConflict(event.stream, heads.get(event.stream, 0))
            reached[event.stream] = version
        return None

    def _landed(self, events: Sequence[NewEvent]) -> Appended | None:
        there = {(e.id, e.stream, e.version): e.position for e in self._log}
        positions = [there.get((e.id, e.stream, e.version)) for e in events]
        found = tuple(position for position in positions if position is not None)
        return Appended(found) if found and len(found) == len(events) else None

    def _record(self, append: Append, committed: list[Committed]) -> Appended:
        positions: list[int] = []
        lead = append.leadership or append.take_over
        epoch = 0 if lead is None else lead.epoch
        if append.take_over is not None:
            taken = append.take_over
            self._leaders[taken.pool] = Leader(taken.pool, taken.epoch, taken.holder, 0.0)
        now_us = self._clock()
        for event in append.events:
            recorded = Recorded(
                position=self._head + 1,
                id=event.id,
                stream=event.stream,
                version=event.version,
                type=event.topic,
                time_us=max(now_us, self._log[-1].time_us + 1 if self._log else 0),
                tenant=event.tenant,
                epoch=epoch,
                data=msgspec.Raw(event.state),
            )
            self._log.append(recorded)
            committed.append(Committed(recorded, event.event))
            positions.append(recorded.position)
        if append.command is not None:
            command = append.command
            row = (command.request_hash, self._head, command.reply, now_us)
            self._inbox[_key(command)] = row
        return Appended(tuple(positions))


def _key(command: Command) -> _CommandKey:
    return command.consumer, command.tenant, command.message_id
