"""What the log says of an overload while it goes on and when it is over."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

import msgspec

from pointsman.cli.client import StackClient
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.feed import FeedBell, whole_log
from pointsman.contracts.events import (
    AlertCleared,
    AlertRaised,
    LevelChanged,
    TaskCompleted,
    TaskGranted,
)
from pointsman.contracts.recorded import Recorded

_LOOK_AGAIN_S: Final = 0.5
_ENDS: Final = frozenset(
    f"task.{end}.v1" for end in ("completed", "failed", "cancelled", "expired", "shed", "abandoned")
)


class WatchedLog:
    """The log of a stack, read on whenever something happens."""

    def __init__(self, client: StackClient, after: int = 0) -> None:
        self._client = client
        self._bell = FeedBell()
        self._after = after
        self.events: list[Recorded] = []
        self._ended: dict[UUID, Recorded] = {}

    async def listen(self) -> None:
        """Hear of what is published from now on."""
        await self._bell.listen(self._client)

    async def read_on(self) -> None:
        """Take what was appended since the last time."""
        async for event in whole_log(self._client, self._after):
            self._after = event.position
            self.events.append(event)
            if event.type in _ENDS:
                self._ended[event.stream] = event

    async def until(self, holds: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Read until something holds; raises `CommandError` (`timeout`)."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    await self.read_on()
                    if holds():
                        return
                    await self._bell.wait(_LOOK_AGAIN_S)
        except TimeoutError:
            raise CommandError(
                f"{what} did not happen within {timeout_s:g} s",
                code="timeout",
                exit_code=ExitCode.TIMEOUT,
                next_step="run pointsman degradation show and pointsman events tail",
            ) from None

    def all_ended(self, tasks: Iterable[UUID]) -> bool:
        """Whether each has its terminal event among what was read."""
        return all(task in self._ended for task in tasks)

    def end_of(self, task: UUID) -> Recorded | None:
        """The terminal event of a task."""
        return self._ended.get(task)

    def completed(self) -> list[tuple[Recorded, TaskCompleted]]:
        """In log order."""
        return [(e, _completed.decode(e.data)) for e in self._of("task.completed.v1")]

    def granted(self) -> list[tuple[Recorded, TaskGranted]]:
        """In log order."""
        return [(e, _granted.decode(e.data)) for e in self._of("task.granted.v1")]

    def levels(self) -> list[tuple[Recorded, LevelChanged]]:
        """Moves of the ladder, in log order."""
        return [(e, _level.decode(e.data)) for e in self._of("degradation.level_changed.v1")]

    def raised(self) -> list[AlertRaised]:
        """In log order."""
        return [_raised.decode(e.data) for e in self._of("alert.raised.v1")]

    def cleared(self) -> list[AlertCleared]:
        """In log order."""
        return [_cleared.decode(e.data) for e in self._of("alert.cleared.v1")]

    def _of(self, topic: str) -> list[Recorded]:
        return [event for event in self.events if event.type == topic]


_completed: Final = msgspec.json.Decoder(TaskCompleted)
_granted: Final = msgspec.json.Decoder(TaskGranted)
_level: Final = msgspec.json.Decoder(LevelChanged)
_raised: Final = msgspec.json.Decoder(AlertRaised)
_cleared: Final = msgspec.json.Decoder(AlertCleared)
