"""What becomes of the tasks of a run, as the log tells it while it grows."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
import psycopg

from pointsman.contracts.recorded import Recorded
from tests.chaos.log import LogPlace
from tests.chaos.pauses import pause

ENDS: Final = frozenset(
    f"task.{end}.v1" for end in ("completed", "failed", "cancelled", "expired", "shed", "abandoned")
)
ACCEPTED: Final = "task.accepted.v1"
COMPLETED: Final = "task.completed.v1"
CANCELLED: Final = "task.cancelled.v1"
LOST: Final = "task.attempt_lost.v1"

MessageKey = tuple[str, str]
"""Tenant and the sender's id."""

_POLL_S: Final = 0.4


class _Asker(msgspec.Struct):
    tenant: str
    message_id: str
    source: str


_decoder: Final = msgspec.json.Decoder(_Asker)


@dataclass(slots=True)
class TaskLife:
    """One task of a client; times are wall-clock seconds of the log."""

    key: MessageKey
    accepted_at: float
    source: str
    ended_at: float | None = None
    end: str = ""


class FollowedTasks:
    """Reads on every 0.4 s; `on_completed` is told of each completion as soon as it was read."""

    def __init__(
        self, log: LogPlace, source: str, on_completed: Callable[[MessageKey, float], None]
    ) -> None:
        self.lives: dict[UUID, TaskLife] = {}
        self.position = 0
        self.ended = 0
        """Tasks of `source` that have ended."""
        self.open = 0
        """Tasks that have not ended, of anybody."""
        self.attempts_lost = 0
        self.unread: str = ""
        """Why the log could not be read the last time; empty: it could."""
        self._log = log
        self._source = source
        self._on_completed = on_completed

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self.read_on()
            await pause(_POLL_S)

    async def read_on(self) -> None:
        """Take what was appended since; a log that is down is asked again the next time."""
        try:
            page = await asyncio.to_thread(lambda: list(self._log.read(self.position, limit=5000)))
        except (sqlite3.Error, psycopg.Error, OSError) as error:
            self.unread = repr(error)
            return
        self.unread = ""
        for event in page:
            self._take(event)
        if page:
            self.position = page[-1].position

    def _take(self, event: Recorded) -> None:
        if event.type == ACCEPTED:
            asker = _decoder.decode(event.data)
            key = (asker.tenant, asker.message_id)
            self.lives[event.stream] = TaskLife(key, event.time_us / 1e6, asker.source)
            self.open += 1
        elif event.type == LOST:
            self.attempts_lost += 1
        elif event.type in ENDS:
            life = self.lives[event.stream]
            if life.ended_at is None:
                self.open -= 1
                self.ended += life.source == self._source
                life.ended_at, life.end = event.time_us / 1e6, event.type
                if event.type == COMPLETED:
                    self._on_completed(life.key, life.ended_at)
