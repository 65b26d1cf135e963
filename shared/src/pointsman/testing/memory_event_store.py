"""An event store that keeps its log in memory, for tests; nothing survives the process."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.recorded import Recorded
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
    LogUnavailableError,
    NewEvent,
    VersionConflict,
)

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
        self._epochs: dict[str, int] = {}
        self._floors: dict[str, FeedFloor] = {}
        self._listeners: list[CommitListener] = []
        self._grown = asyncio.Event()

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
        chosen = [event for event in self._log[after:] if not topics or event.type in topics]
        return chosen[:limit]

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        return [event for event in self._log if event.stream == stream and event.version > after]

    async def head(self) -> int:
        return len(self._log)

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while len(self._log) <= position:
                    await self._grown.wait()
        except TimeoutError:
            return False
        return True

    async def lead(self, pool: str, holder: str) -> int:  # noqa: ARG002 - nobody asks for it
        self._epochs[pool] = self._epochs.get(pool, 0) + 1
        return self._epochs[pool]

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
        if append.leadership is None:
            return None
        epoch = self._epochs.get(append.leadership.pool, 0)
        return Fenced(epoch) if epoch != append.leadership.epoch else None

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
        epoch = 0 if append.leadership is None else append.leadership.epoch
        now_us = self._clock()
        for event in append.events:
            recorded = Recorded(
                position=len(self._log) + 1,
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
            row = (command.request_hash, len(self._log), command.reply, now_us)
            self._inbox[_key(command)] = row
        return Appended(tuple(positions))


def _key(command: Command) -> _CommandKey:
    return command.consumer, command.tenant, command.message_id
