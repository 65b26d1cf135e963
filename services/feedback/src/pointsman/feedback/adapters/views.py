"""The tasks that can be rated and how pools behaved, read from the view."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from pointsman.contracts.task_states import TaskState
from pointsman.eventstore.projections import EventSource, ProjectionRunner
from pointsman.feedback.adapters.task_view import BUCKET_S, TaskProjection
from pointsman.feedback.domain.behaviour import Window
from pointsman.feedback.ports import RatedTask, RegisteredVariant
from pointsman.runtime.durable_sqlite import connect_reader

_TASK: Final = (
    "SELECT tenant, pool, family, state, coalesce(variant, ''), conversation"
    " FROM tasks WHERE task = ?"
)
_VARIANTS: Final = (
    "SELECT variant, family, quality FROM variants ORDER BY family, quality DESC, variant"
)
_WINDOWS: Final = (
    "SELECT pool, sum(ended), sum(completed), sum(run_us), sum(spent_us), sum(history), sum(reused)"
    " FROM buckets WHERE bucket >= ? GROUP BY pool"
)

_ResultT = TypeVar("_ResultT")


class TaskView:
    """Implements `ports.TaskFacts` on a file in `data / "views"`.

    Opens it, creating it if need be; raises `sqlite3.Error`. It follows `source` while `run` runs,
    which returns with the reason when the view meets an event that this release cannot take.
    """

    def __init__(self, data: Path, source: EventSource) -> None:
        self._source = source
        self._view = ProjectionRunner(TaskProjection(), data)
        self._rows = connect_reader(self._view.path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback-reader")

    @property
    def position(self) -> int:
        return self._view.position

    async def run(self) -> str:
        """Follow the source until cancelled."""
        await self._view.run(self._source)
        stopped = self._view.stopped
        return "" if stopped is None else f"at position {stopped.position}: {stopped.reason}"

    async def rebuild(self) -> None:
        """Drop the view; `run` fills it again."""
        await self._view.rebuild()

    async def up_to_date(self, *, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                head = await self._source.head()
                return await self._view.caught_up(head, timeout_s=timeout_s)
        except TimeoutError:
            return False

    async def task(self, task: UUID) -> RatedTask | None:
        def ask(db: sqlite3.Connection) -> RatedTask | None:
            row = db.execute(_TASK, (str(task),)).fetchone()
            if row is None:
                return None
            tenant, pool, family, state, variant, conversation = row
            return RatedTask(tenant, pool, family, TaskState(state), variant, conversation)

        return await self._ask(ask)

    async def variants(self) -> list[RegisteredVariant]:
        return await self._ask(
            lambda db: [RegisteredVariant(*row) for row in db.execute(_VARIANTS)]
        )

    async def windows(self, since: float) -> Mapping[str, Window]:
        first = int(since // BUCKET_S)
        return await self._ask(
            lambda db: {row[0]: Window(*row[1:]) for row in db.execute(_WINDOWS, (first,))}
        )

    async def close(self) -> None:
        """Finish what was begun and close the file; end `run` before."""
        await self._view.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._rows.close()

    async def _ask(self, question: Callable[[sqlite3.Connection], _ResultT]) -> _ResultT:
        # SQLite gives a question the state before a batch that is being written.
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, self._rows)
