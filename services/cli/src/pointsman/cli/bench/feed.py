"""The ends of tasks as they arrive on the feed, for `pointsman bench tasks`."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec
from nats.aio.msg import Msg

_ANSWER_S: Final = 60.0
_GRANTED: Final = "task.granted.v1"
_TERMINAL: Final = frozenset({"task.completed.v1", "task.failed.v1", "task.expired.v1"})


class _Seen(msgspec.Struct):
    """What the bench needs of an event on the feed."""

    position: int
    stream: UUID
    type: str
    time_us: int
    data: msgspec.Raw


class _Batch(msgspec.Struct):
    size: int


class _Grant(msgspec.Struct):
    """What the bench needs of a grant."""

    batch: _Batch | None = None


_grants: Final = msgspec.json.Decoder(_Grant)
_packs: Final = msgspec.json.Decoder(list[_Seen])


@dataclass(slots=True)
class TaskEnds:
    """Terminal events as they arrive on the feed, and how far behind the log they do."""

    ended: dict[UUID, str] = field(default_factory=dict[UUID, str])
    waiting: dict[UUID, "asyncio.Future[str]"] = field(
        default_factory=dict[UUID, "asyncio.Future[str]"]
    )
    lag_max_s: float = 0.0
    events: int = 0
    granted: int = 0
    calls: float = 0.0

    def clear(self) -> None:
        """Count from here."""
        self.lag_max_s, self.events, self.granted, self.calls = 0.0, 0, 0, 0.0

    @property
    def tasks_per_call(self) -> float:
        """Of those that were granted."""
        return round(self.granted / max(1.0, self.calls), 2)

    async def take(self, message: Msg) -> None:
        """One message of the feed."""
        events = _packs.decode(message.data)
        self.events += len(events)
        self.lag_max_s = max(self.lag_max_s, time.time() - events[0].time_us / 1e6)
        for event in events:
            if event.type == _GRANTED:
                batch = _grants.decode(event.data).batch
                self.granted += 1
                self.calls += 1 / batch.size if batch is not None else 1
            elif event.type in _TERMINAL:
                waiting = self.waiting.pop(event.stream, None)
                if waiting is None:
                    self.ended[event.stream] = event.type
                elif not waiting.done():
                    waiting.set_result(event.type)

    async def end_of(self, task: UUID) -> str:
        """Topic of the terminal event; raises `TimeoutError`."""
        if task in self.ended:
            return self.ended.pop(task)
        waiting = self.waiting[task] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(_ANSWER_S):
            return await waiting
