"""Views of the log that can be thrown away: effect and position commit in one transaction."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import structlog

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.cancellation import raise_if_cancelled
from pointsman.eventstore.event_sources import EventSource, FeedSource, LogSource
from pointsman.eventstore.reading import concerns
from pointsman.eventstore.view_file import Fact, Projection, StoppedAt, ViewFile

__all__ = [
    "EventSource",
    "Fact",
    "FeedSource",
    "LogSource",
    "Projection",
    "ProjectionRunner",
    "ProjectionState",
    "view_path",
]

_RETRY_S: Final = 1.0

_ResultT = TypeVar("_ResultT")
_log = structlog.get_logger(__name__)


class ProjectionState(StrEnum):
    """Whether a view follows the log."""

    FOLLOWING = "following"
    STOPPED = "stopped"
    """At an event that this release cannot take; it goes on from there after an upgrade."""


def view_path(data: Path, name: str) -> Path:
    """Where the view called `name` lies in a data directory."""
    return data / "views" / f"{name}.db"


class ProjectionRunner:
    """Keeps one projection's file in `data` up to date; used from one event loop.

    Opens the file, creating it if need be. Its statements run in a thread of their own. Raises
    `sqlite3.Error` when the file cannot be opened.
    """

    def __init__(self, projection: Projection, data: Path) -> None:
        self.name = projection.name
        self.path = view_path(data, projection.name)
        self.stopped: StoppedAt | None = None
        self._concerns = concerns(projection.topics)
        self._file = ViewFile(self.path, projection)
        self._position = self._file.position
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"view-{projection.name}")
        self._waiters: set[tuple[int, asyncio.Future[None]]] = set()
        self._rebuilding = 0

    @property
    def position(self) -> int:
        """Everything up to here is in the view."""
        return self._position

    @property
    def state(self) -> ProjectionState:
        return ProjectionState.FOLLOWING if self.stopped is None else ProjectionState.STOPPED

    async def run(self, source: EventSource) -> None:
        """Follow `source`; returns only when the projection has to stop."""
        while self.stopped is None:
            try:
                await self._start(source)
                while self.stopped is None:
                    raise_if_cancelled()
                    after = self._position
                    await self._take(await source.next(after), after)
            except sqlite3.Error as error:
                _log.warning("view_not_written", view=self.name, error=repr(error))
                await asyncio.sleep(_RETRY_S)

    async def rebuild(self) -> None:
        """Empty the view; a running `run` fills it again from the beginning of the log."""
        self._rebuilding += 1
        try:
            await self._in_thread(self._file.rebuild)
        finally:
            self._rebuilding -= 1
        self._advance()

    async def caught_up(self, position: int, *, timeout_s: float) -> bool:
        """Return true once the view holds everything up to `position`, false after the time.

        A view that has stopped answers at once.
        """
        if self._position >= position or self.stopped is not None:
            return self._position >= position
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (position, reached)
        self._waiters.add(waiter)
        try:
            await asyncio.wait((reached,), timeout=timeout_s)
        finally:
            self._waiters.discard(waiter)
        return self._position >= position

    async def close(self) -> None:
        """Finish what was begun and close the file; end `run` before."""
        await asyncio.to_thread(self._thread.shutdown)
        self._file.close()

    async def _start(self, source: EventSource) -> None:
        log = await source.incarnation()
        if await self._in_thread(lambda: self._file.adopt(log)):
            _log.warning("view_of_another_life", view=self.name, log=log)
            self._advance()
        head = await source.head()
        if self._position > head:
            # The log was restored to an earlier state: the view knows what never happened.
            _log.warning("view_ahead_of_log", view=self.name, position=self._position, head=head)
            await self.rebuild()

    async def _take(self, events: Sequence[Recorded], after: int) -> None:
        if not events:
            return
        upto = events[-1].position
        relevant = [event for event in events if self._concerns(event.type)]
        if not relevant and self._pass_over(upto, after):
            return
        stopped = await self._in_thread(lambda: self._apply(relevant, upto, after))
        self._advance()
        if stopped is not None:
            self._stop(stopped)

    def _pass_over(self, upto: int, after: int) -> bool:
        # A change of threads for nothing costs as much as a small batch.
        if self._rebuilding or after > self._file.position or not self._file.pass_over(upto):
            return False
        self._advance()
        return True

    def _apply(self, events: Sequence[Recorded], upto: int, after: int) -> StoppedAt | None:
        if after > self._file.position:
            # The view was emptied since these were asked for, so what comes before is missing.
            return None
        try:
            return self._file.apply(events, upto)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the reason follows
            # A defect of one projection must not end the service: it stops, the others go on.
            _log.exception("projection_failed", view=self.name, after=after)
            reason = f"{type(error).__name__}: {error}"
            return StoppedAt(self._file.position + 1, "projection_failed", reason)

    def _stop(self, stopped: StoppedAt) -> None:
        self.stopped = stopped
        _log.error(
            "projection_stopped",
            view=self.name,
            position=stopped.position,
            topic=stopped.topic,
            code=stopped.code,
            reason=stopped.reason,
        )
        for _, reached in self._waiters:
            if not reached.done():
                reached.set_result(None)

    def _advance(self) -> None:
        self._position = self._file.position
        for position, reached in self._waiters:
            if position <= self._position and not reached.done():
                reached.set_result(None)

    async def _in_thread(self, work: Callable[[], _ResultT]) -> _ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
