"""The port of the log: what every store must do, whatever it is made of.

What is made for each event is a struct, which costs a third of a frozen dataclass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

import msgspec

from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.log_identity import LogIdentity
from pointsman.runtime.errors import FatalError, TransientError


class NewEvent(msgspec.Struct, frozen=True):
    """An event to append. `state` are its stored bytes, `event` the same, decoded."""

    id: UUID
    stream: UUID
    version: int
    topic: str
    state: bytes
    event: Decision
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """Makes an append happen once: a repeated identity gets the earlier reply.

    `request_hash` tells a repetition from another request under the same id.
    """

    consumer: str
    tenant: str
    message_id: str
    request_hash: bytes
    reply: bytes


@dataclass(frozen=True, slots=True)
class Leadership:
    """Who appends: refused as `Fenced` once the pool has a greater epoch."""

    pool: str
    epoch: int


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Makes an append an election: `holder` leads the pool from this commit on.

    `epoch` is the one after the epoch that the candidate saw; the leader before is fenced. `ttl_s`
    is how long the lead lasts in the time of the log's database unless it is renewed.
    """

    pool: str
    holder: str
    epoch: int
    ttl_s: float


class Append(msgspec.Struct, frozen=True):
    """Events that are recorded together or not at all; at most one of the two last is given."""

    events: Sequence[NewEvent]
    command: Command | None = None
    leadership: Leadership | None = None
    take_over: TakeOver | None = None


class Appended(msgspec.Struct, frozen=True):
    """Committed; positions and times in the order of the events."""

    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DuplicateCommand:
    """The command identity is known. `same_request` is false when the body differed."""

    position: int
    reply: bytes
    same_request: bool


@dataclass(frozen=True, slots=True)
class VersionConflict:
    """A stream does not stand where the append expected; `actual` is its last version."""

    stream: UUID
    actual: int


@dataclass(frozen=True, slots=True)
class Fenced:
    """Another leader has taken over the pool."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Held:
    """Another holder's lead has not run out yet."""

    holder: str
    expires_in_s: float


AppendAnswer = Appended | DuplicateCommand | VersionConflict | Fenced | Held


@dataclass(frozen=True, slots=True)
class Leader:
    """The leader row of a pool. `expires_in_s` is negative once the lead has run out.

    It is zero for ever where one process appends: whoever has the file may lead.
    """

    pool: str
    epoch: int
    holder: str
    expires_in_s: float


class LogUnavailableError(TransientError):
    """The log did not answer in time or cannot write; the append is in doubt.

    Repeat with the same command identity and event ids: what has landed is answered as such.
    """

    code = "log_unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(f"the log cannot be written: {detail}")


class LogInUseError(FatalError):
    """Another process appends to this log; the operator stops it, or only reads here."""

    code = "log_in_use"

    def __init__(self, path: Path, *, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"{holder} appends to the log {path}, and only one may.",
            next_step="Stop it, or name another file.",
        )
        self.path = path
        self.pid = pid


class EventIdInUseError(Exception):
    """An append reuses the id of another event; a defect of its writer. Nothing was recorded."""

    code = "event_id_in_use"

    def __init__(self, detail: str) -> None:
        super().__init__(f"an event id names another event already, make a new one: {detail}")


class Committed(msgspec.Struct, frozen=True):
    """An event right after its commit; `event` is its decoded form if this process wrote it."""

    recorded: Recorded
    event: Decision | None


@dataclass(frozen=True, slots=True)
class FeedFloor:
    """How far a relay has come in one incarnation of its stream."""

    stream: str
    incarnation: str
    sequence: int
    position: int


INBOX_KEEP_S: Final = 72 * 3600.0
"""How long a repeated command gets its earlier reply."""

CommitListener = Callable[[Sequence[Committed]], None]


class CommittedEvents(Protocol):
    """What one totally ordered log holds, wherever it is asked."""

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        """Committed events beyond a position, in log order, without gaps.

        Fewer than `limit` may be given while there are more; none means that there are none.
        """
        ...

    async def head(self) -> int:
        """Last committed position, 0 for an empty log."""
        ...

    async def identity(self) -> LogIdentity:
        """Which life of the log this is: a restore to an earlier time begins another."""
        ...


class LogReader(CommittedEvents, Protocol):
    """The log itself, read from any process of its machine."""

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        """One stream's events beyond a version, in order."""
        ...

    async def wait_beyond(self, position: int, *, timeout_s: float) -> bool:
        """Return true as soon as the log may hold more than `position`, false after the time."""
        ...

    async def floor(self, stream: str) -> FeedFloor | None:
        """The floor row of a relay's stream."""
        ...

    async def close(self) -> None:
        """Finish what was begun and release the log."""
        ...


class EventStore(LogReader, Protocol):
    """The log as a process that appends has it; used from one event loop."""

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        """Commit in one group with whatever else is waiting.

        Answers per append, computed under the append lock; no retry loop. Raises
        `LogUnavailableError` and `EventIdInUseError`. Cancelling the caller does not cancel
        the append. An append that follows a refused one of the same stream in one group is
        refused too; one whose events have all landed before is answered with their positions.
        """
        ...

    def on_commit(self, listener: CommitListener) -> Callable[[], None]:
        """Call `listener` on the event loop with each commit of this process.

        In log order, and before the answers of that commit are given. What is returned ends it.
        """
        ...

    async def follow(self, listener: CommitListener) -> Callable[[], None]:
        """Call `listener` with each commit of the log from now on, whoever made it.

        In log order and without gaps, from the position after the present head or an earlier one;
        commits of this process before their answers are given. What is returned ends it.
        """
        ...

    def wake(self) -> None:
        """Another process says that it has appended: look now, not at the next poll."""
        ...

    async def leader(self, pool: str) -> Leader | None:
        """The leader row of a pool, None before its first election."""
        ...

    async def renew(self, leadership: Leadership, *, ttl_s: float) -> bool:
        """Prolong a lead; false when another leads. Raises `LogUnavailableError`."""
        ...

    async def resign(self, leadership: Leadership) -> None:
        """End a lead at once, so that a standby need not wait for its end."""
        ...

    async def set_floor(self, floor: FeedFloor) -> None:
        """Write a floor row; cheap, committed with the next group."""
        ...

    async def prune_inbox(self, *, keep_s: float = INBOX_KEEP_S) -> int:
        """Forget command identities older than `keep_s`; returns how many."""
        ...
