"""A service's own streams: folded at its start, and with every commit afterwards.

The state that decisions stand on is then never anything but the fold of the log, whether an
append was answered, repeated or in doubt.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import AppendAnswer, Command, Committed, EventStore, VersionConflict
from pointsman.eventstore.reading import read_event
from pointsman.runtime.errors import FatalError

_PAGE: Final = 5_000

_log = structlog.get_logger(__name__)

Evolve = Callable[[Recorded, Decision], None]


class FoldBrokenError(FatalError):
    """A committed event could not be folded, so that memory and log have parted."""

    code = "fold_broken"

    def __init__(self, recorded: Recorded, error: Exception) -> None:
        super().__init__(
            f"{recorded.type} at position {recorded.position} cannot be folded: {error!r}.",
            next_step="The service must be restarted, it then folds the log anew.",
        )
        self.position = recorded.position


class LateEventError(Exception):
    """Another instance of the service has appended it before what is folded already."""

    code = "late_event"

    def __init__(self) -> None:
        super().__init__("a second instance of this service has appended it meanwhile")


class OwnEvents:
    """Events of `topics`, which this service alone writes. Used from one event loop.

    `evolve` gets each of them once and in log order; after it has failed on one, nothing more is
    folded or recorded. `load` before anything else, `close` at the end: a store may outlive the
    service.

    Only commits of this process are heard of. Where a second instance of the service appends as
    well, both meet in a stream: the one that comes too late then reads what the other has appended.
    """

    def __init__(
        self, store: EventStore, codec: EventCodec, topics: Sequence[str], evolve: Evolve
    ) -> None:
        self._store = store
        self._codec = codec
        # Later versions too: passed over, they would be missing in the fold without a word.
        self._own = codec.versions(topics)
        self._topics = tuple(sorted(self._own))
        self._evolve = evolve
        self._journal = Journal(store, codec)
        self._versions: dict[UUID, int] = {}
        self._end: Callable[[], None] | None = None
        self._held: list[Committed] | None = None
        self._broken: FatalError | None = None
        self._reading = asyncio.Lock()
        self._read_to = 0
        self.position = 0
        """Last position of an event that was folded."""

    async def load(self) -> None:
        """Fold what is in the log; raises what `read_event` raises and `evolve` too."""
        # A page may be older than a commit that is heard of while it is read.
        self._held = []
        self._end = self._store.on_commit(self._committed)
        await self._read()
        self._release()
        self._raise_if_broken()

    def close(self) -> None:
        """Listen no more."""
        if self._end is not None:
            self._end()

    def version_of(self, stream: UUID) -> int:
        """Last folded version of a stream, 0 for a new one."""
        return self._versions.get(stream, 0)

    def decided(self, stream: UUID, *events: Decision, tenant: str = "") -> Decided:
        """Events that follow what has been folded of a stream."""
        return Decided(stream, self.version_of(stream), events, tenant)

    async def record(self, decided: Decided, command: Command | None = None) -> AppendAnswer:
        """Append; after a conflict the fold holds what the append had missed.

        Raises `LogUnavailableError` and `FoldBrokenError`.
        """
        self._raise_if_broken()
        answer = await self._journal.record(decided, command)
        if isinstance(answer, VersionConflict):
            await self._read_others(answer)
        return answer

    async def _read_others(self, conflict: VersionConflict) -> None:
        async with self._reading:
            if self.version_of(conflict.stream) >= conflict.actual:
                # A race within this process: its winner is folded already.
                return
            self._held = []
            try:
                await self._read()
            finally:
                self._release()
        self._raise_if_broken()

    async def _read(self) -> None:
        while page := await self._store.read(self._read_to, limit=_PAGE, topics=self._topics):
            for recorded in page:
                self._read_to = recorded.position
                if recorded.version > self.version_of(recorded.stream):
                    self._fold_late(recorded)

    def _fold_late(self, recorded: Recorded) -> None:
        if recorded.position < self.position:
            # Later events are folded already; only a new fold has all of them in log order.
            self._broken = FoldBrokenError(recorded, LateEventError())
            raise self._broken
        self._take(recorded, self._decode(recorded))

    def _release(self) -> None:
        held, self._held = self._held or [], None
        self._fold(held)

    def _committed(self, committed: Sequence[Committed]) -> None:
        own = [each for each in committed if each.recorded.type in self._own]
        if self._held is None:
            self._fold(own)
        else:
            self._held += own

    def _fold(self, committed: Sequence[Committed]) -> None:
        for each in committed:
            if self._broken is not None:
                return
            try:
                self._take(each.recorded, each.event or self._decode(each.recorded))
            except Exception as error:  # noqa: BLE001 - whatever it is, memory is wrong now
                known = isinstance(error, FatalError)
                self._broken = error if known else FoldBrokenError(each.recorded, error)
                _log.exception("fold_broken", topic=each.recorded.type, code=self._broken.code)

    def _decode(self, recorded: Recorded) -> Decision:
        return read_event(self._codec, recorded)

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _take(self, recorded: Recorded, event: Decision) -> None:
        if recorded.position > self.position:
            self.position = recorded.position
            self._versions[recorded.stream] = recorded.version
            self._evolve(recorded, event)
