"""From decisions to the log: encodes them and appends each on its own."""

import asyncio
from collections.abc import Sequence

from uuid_utils.compat import uuid7

from pointsman.contracts.decided import Decided
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Command,
    EventStore,
    Leadership,
    NewEvent,
    TakeOver,
)


class Journal:
    """Records decisions, under a leadership where only a leader may append."""

    def __init__(
        self, store: EventStore, codec: EventCodec, leadership: Leadership | None = None
    ) -> None:
        self._store = store
        self._codec = codec
        self._leadership = leadership

    async def record(self, decided: Decided, command: Command | None = None) -> AppendAnswer:
        """Append one decision; raises `LogUnavailableError`."""
        return await self._store.append(Append(self._events(decided), command, self._leadership))

    async def elect(self, decided: Decided, take_over: TakeOver) -> AppendAnswer:
        """Append what tells of an election, which it is; raises `LogUnavailableError`."""
        return await self._store.append(Append(self._events(decided), take_over=take_over))

    async def record_all(self, decided: Sequence[Decided]) -> list[AppendAnswer]:
        """Append independent decisions; they share commits, each is answered on its own.

        Raises what `record` raises, for the first that failed and after the others were answered:
        whoever decides again must not do so while appends are still on their way.
        """
        if len(decided) == 1:
            return [await self.record(decided[0])]
        answers = await asyncio.gather(
            *(self.record(item) for item in decided), return_exceptions=True
        )
        recorded: list[AppendAnswer] = []
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
            recorded.append(answer)
        return recorded

    def _events(self, decided: Decided) -> list[NewEvent]:
        return [
            NewEvent(
                id=uuid7(),
                stream=each.stream,
                version=each.after + offset,
                topic=written.topic,
                state=written.state,
                event=written.event,
                tenant=each.tenant,
            )
            for each in (decided, *decided.also)
            for offset, written in enumerate(map(self._codec.written, each.events), start=1)
        ]
