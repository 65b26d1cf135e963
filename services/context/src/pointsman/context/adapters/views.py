"""The view of this service as a file that follows the feed."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pointsman.context.adapters import context_rows
from pointsman.context.adapters.concerned_source import ConcernedSource
from pointsman.context.adapters.context_view import ContextProjection
from pointsman.context.domain.tasks import TaskFacts
from pointsman.context.ports import Embedding, Growth
from pointsman.contracts.context import (
    ConversationRow,
    ListConversations,
    ListProjects,
    ProjectRow,
)
from pointsman.contracts.events import ResponseCached
from pointsman.eventstore.event_sources import EventSource
from pointsman.eventstore.projections import ProjectionRunner
from pointsman.runtime.durable_sqlite import connect_reader

OnStopped = Callable[[str, str], None]

_ResultT = TypeVar("_ResultT")


class ContextViews:
    """Implements `ports.TaskLedger` and `ports.Catalogue` on `data / "views" / "context.db"`.

    Opens the file, creating it if need be; raises `sqlite3.Error`. It may be deleted while closed.
    """

    def __init__(self, data: Path, *, responses: int, on_stopped: OnStopped | None = None) -> None:
        self._on_stopped = on_stopped
        self._projection = ContextProjection(responses)
        self._runner = ProjectionRunner(self._projection, data)
        self._db = connect_reader(self._runner.path)
        # Questions are answered while a batch is written: SQLite gives them the state before it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="context-reader")

    @property
    def position(self) -> int:
        return self._runner.position

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._runner.path

    async def run(self, source: EventSource) -> None:
        """Follow `source` until cancelled; returns only when the view had to stop."""
        known = await self._ask(context_rows.open_tasks)
        await self._runner.run(ConcernedSource(source, known))
        stopped = self._runner.stopped
        if stopped is not None and self._on_stopped is not None:
            reason = f"at position {stopped.position}: {stopped.reason}"
            self._on_stopped(self._runner.name, reason)

    async def caught_up(self, position: int, *, timeout_s: float) -> bool:
        """Return true once everything up to `position` is known, false after the time."""
        return await self._runner.caught_up(position, timeout_s=timeout_s)

    async def changed(self, seen: int, *, timeout_s: float) -> int:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        while True:
            position = self._runner.position
            # A change counts once it is committed, and the position moves after that.
            left_s = until - loop.time()
            if seen < self._projection.changed_at <= position or left_s <= 0:
                return position
            if self._runner.stopped is not None:
                # It changes no more, and would answer at once.
                await asyncio.sleep(left_s)
            await self._runner.caught_up(position + 1, timeout_s=left_s)

    async def due(self, accepted_after: float, *, limit: int) -> Sequence[TaskFacts]:
        return await self._ask(lambda db: context_rows.due(db, accepted_after, limit))

    async def embeddings(self, tenant: str, tasks: Sequence[UUID]) -> Mapping[UUID, Embedding]:
        return await self._ask(lambda db: context_rows.embeddings(db, tenant, tasks))

    async def response(self, key: str) -> ResponseCached | None:
        return await self._ask(lambda db: context_rows.response(db, key))

    async def responses(self, *, at: float) -> int:
        return await self._ask(lambda db: context_rows.responses(db, at))

    async def growths(self, pool: str, after: int) -> Sequence[Growth]:
        return await self._ask(lambda db: context_rows.growths(db, pool, after))

    async def projects(self, query: ListProjects) -> Sequence[ProjectRow]:
        return await self._ask(lambda db: context_rows.projects(db, query))

    async def conversations(self, query: ListConversations) -> Sequence[ConversationRow]:
        return await self._ask(lambda db: context_rows.conversations(db, query))

    async def close(self) -> None:
        """Finish what was begun and close the file; end `run` before."""
        await self._runner.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._db.close()

    async def _ask(self, question: Callable[[sqlite3.Connection], _ResultT]) -> _ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, self._db)
