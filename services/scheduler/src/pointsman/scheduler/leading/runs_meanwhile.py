"""Which attempts ran while a task waited, read from the log when somebody asks about a limit."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts import events
from pointsman.contracts.message import Message
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import WITHOUT_RESULT
from pointsman.contracts.topics import EventCodec, version_of
from pointsman.eventstore.ports import EventStore
from pointsman.scheduler.domain.why.runs import Run, RunEvent, runs_of

MOST: Final = 4_000
"""Events that are read from the acceptance of a task on; beyond them nobody knows who ran."""

_ENDS: Final = (
    events.TaskCompleted,
    events.AttemptFailed,
    events.AttemptTimedOut,
    events.AttemptLost,
)


class _Seen(Message, frozen=True):
    """As much of an event as is looked at: decoding an explanation would cost ten times that."""

    at: float
    device: str = ""
    variant: str = ""


class RunsMeanwhile:
    """Reads grants and ends of attempts by their place in the log."""

    def __init__(self, store: EventStore, codec: EventCodec) -> None:
        self._store = store
        types = (events.TaskGranted, *_ENDS, *WITHOUT_RESULT)
        names = codec.names(types)
        self._begins = codec.names([events.TaskGranted])
        self._ends = codec.names(_ENDS)
        self._topics = sorted(codec.versions(f"{name}.v1" for name in names))
        self._decoder = msgspec.json.Decoder(_Seen)

    async def read(self, task: UUID, after: int, until: float) -> tuple[Run, ...]:
        """Those of other tasks that the events between two positions tell of."""
        read = await self._store.read(after, limit=MOST, topics=self._topics)
        recorded = [each for each in read if each.position <= until and each.stream != task]
        return await asyncio.to_thread(lambda: runs_of(self._seen(recorded)))

    def _seen(self, recorded: Iterable[Recorded]) -> Iterator[RunEvent]:
        for each in recorded:
            name, _ = version_of(each.type)
            seen = self._decoder.decode(bytes(each.data))
            # Cuts and merges take no device and count against no limit.
            ran = name in self._ends and bool(seen.device)
            begins = name in self._begins
            yield RunEvent(each.stream, seen.at, each.tenant, seen.variant, begins, ran)
