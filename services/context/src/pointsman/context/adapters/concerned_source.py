"""The feed without the tasks that have nothing to do with conversations or caches."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from pointsman.context.adapters.context_facts import ACCEPTED, ENDS, TYPES
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.event_sources import EventSource

# Any text may hold these, and then the event is looked at for nothing; what has the fields has them
# in just this form, because defaults are left out and the encoder writes no spaces.
_MARKS: Final = (b'"conversation":"', b'"cache":true', b'"source":"/pointsman/context"')


class ConcernedSource:
    """Implements `EventSource`: a plain task costs no decoding, its end a look into a set.

    `open_tasks` are those that the view knows and whose end it has not seen. The last event of each
    run is handed on whatever it is: it says how far the run reaches.
    """

    def __init__(self, source: EventSource, open_tasks: Iterable[UUID]) -> None:
        self._source = source
        self._open = set(open_tasks)
        # A run may be asked for again, so a task is forgotten only when its end is committed.
        self._ended: deque[tuple[int, UUID]] = deque()

    async def next(self, after: int) -> Sequence[Recorded]:
        while self._ended and self._ended[0][0] <= after:
            self._open.discard(self._ended.popleft()[1])
        events = await self._source.next(after)
        kept = [event for event in events if self._concerns(event)]
        if events and (not kept or kept[-1] is not events[-1]):
            kept.append(events[-1])
        return kept

    async def head(self) -> int:
        return await self._source.head()

    async def incarnation(self) -> str:
        return await self._source.incarnation()

    def _concerns(self, event: Recorded) -> bool:
        if event.type == ACCEPTED:
            data = bytes(event.data)
            if not any(mark in data for mark in _MARKS):
                return False
            self._open.add(event.stream)
            return True
        if event.type in ENDS:
            if event.stream not in self._open:
                return False
            self._ended.append((event.position, event.stream))
            return True
        # What no release knows is for the view to judge.
        return event.type in TYPES or not event.type.startswith(("task.", "device."))
