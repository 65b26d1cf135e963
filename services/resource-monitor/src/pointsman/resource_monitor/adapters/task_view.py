"""The monitor's read model, at most a moment behind the feed, and its tap on the feed."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.resource_monitor import FamilyTasks, VariantQuality
from pointsman.eventstore.projections import EventSource, ProjectionRunner
from pointsman.resource_monitor.adapters.task_projection import (
    TaskProjection,
    family_tasks,
    open_tasks,
    recent_quality,
    variant_quality,
)
from pointsman.resource_monitor.ports import OpenTask, RatedVariant
from pointsman.resource_monitor.watching.feed_window import FeedWindow
from pointsman.runtime.durable_sqlite import connect_reader

OnStopped = Callable[[str, str], None]

_ResultT = TypeVar("_ResultT")


class WindowedSource:
    """Implements `EventSource`: what passes to the view is shown to the window first."""

    def __init__(self, source: EventSource, window: FeedWindow) -> None:
        self._source = source
        self._window = window

    async def next(self, after: int) -> Sequence[Recorded]:
        events = await self._source.next(after)
        self._window.take(events)
        return events

    async def head(self) -> int:
        head = await self._source.head()
        if head < self._window.progress.position:
            # The log was restored to an earlier state: the window knows what never happened.
            self._window.forget()
        return head

    async def incarnation(self) -> str:
        return await self._source.incarnation()


class SqliteTaskView:
    """Implements `ports.TaskView` on a file in `data / "views"`, which may be deleted while closed.

    Opens it, creating it if need be; raises `sqlite3.Error`. `on_stopped` is told once, with the
    name of the view and why, when it meets an event that this release cannot take.
    """

    def __init__(self, data: Path, *, on_stopped: OnStopped | None = None) -> None:
        self._on_stopped = on_stopped
        self.runner = ProjectionRunner(TaskProjection(), data)
        self._rows = connect_reader(self.runner.path)
        # Questions are answered while a batch is written: SQLite gives them the state before it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="view-reader")

    async def run(self, source: EventSource) -> None:
        """Follow `source` until cancelled; returns only when the view had to stop."""
        await self.runner.run(source)
        stopped = self.runner.stopped
        if stopped is not None and self._on_stopped is not None:
            reason = f"at position {stopped.position}: {stopped.reason}"
            self._on_stopped(self.runner.name, reason)

    async def close(self) -> None:
        """Finish what was begun and close the file; end `run` before."""
        await self.runner.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._rows.close()

    async def open_tasks(self) -> Sequence[OpenTask]:
        return await self._ask(open_tasks)

    async def recent_quality(self) -> Sequence[RatedVariant]:
        return await self._ask(recent_quality)

    async def families(self) -> Sequence[FamilyTasks]:
        return await self._ask(family_tasks)

    async def quality(self) -> Sequence[VariantQuality]:
        return await self._ask(variant_quality)

    async def _ask(self, question: Callable[[sqlite3.Connection], _ResultT]) -> _ResultT:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, question, self._rows)
