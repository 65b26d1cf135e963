"""The scheduler's read model: tasks and dead letters, at most a moment behind the log."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pointsman.contracts.bulk import AskBulk
from pointsman.contracts.queries import DeadLetterRow, ListDeadLetters, ListTasks, TaskRow
from pointsman.eventstore.ports import LogReader
from pointsman.eventstore.projections import LogSource, ProjectionRunner, ProjectionState
from pointsman.runtime.durable_sqlite import connect_reader
from pointsman.scheduler.adapters.dead_letter_view import DeadLetterProjection, list_dead_letters
from pointsman.scheduler.adapters.task_view import (
    TaskProjection,
    count_bulk,
    list_tasks,
    one_task,
)

OnStopped = Callable[[str, str], None]

_ResultT = TypeVar("_ResultT")


class TaskViews:
    """Implements `ports.Views` on files in `data / "views"`, which may be deleted while closed.

    Opens them, creating them if need be; raises `sqlite3.Error`. They follow the log while `run`
    runs. A view that meets an event that this release cannot take stays there, goes on answering
    with what it has, and says so: in `stopped`, and once to `on_stopped` with its name and why.
    """

    def __init__(self, data: Path, log: LogReader, *, on_stopped: OnStopped | None = None) -> None:
        self._log = log
        self._on_stopped = on_stopped
        self._tasks = ProjectionRunner(TaskProjection(), data)
        self._letters = ProjectionRunner(DeadLetterProjection(), data)
        self._task_rows = connect_reader(self._tasks.path)
        self._letter_rows = connect_reader(self._letters.path)
        # Questions are answered while a batch is written: SQLite gives them the state before it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="view-reader")

    @property
    def position(self) -> int:
        """Everything up to here can be asked for."""
        return min(self._tasks.position, self._letters.position)

    @property
    def stopped(self) -> dict[str, str]:
        """Why views have stopped, by their name; empty while all follow the log."""
        return {
            view.name: f"at position {view.stopped.position}: {view.stopped.reason}"
            for view in (self._tasks, self._letters)
            if view.state is ProjectionState.STOPPED and view.stopped is not None
        }

    async def run(self) -> None:
        """Follow the log until cancelled; returns only when every view had to stop."""
        async with asyncio.TaskGroup() as group:
            for view in (self._tasks, self._letters):
                group.create_task(self._follow(view), name=f"view {view.name}")

    async def rebuild(self) -> None:
        """Drop both views; `run` fills them again from the log."""
        await self._tasks.rebuild()
        await self._letters.rebuild()

    async def caught_up(self, position: int, *, timeout_s: float) -> bool:
        """Return true once everything up to `position` can be asked for, false after the time."""
        answers = await asyncio.gather(
            self._tasks.caught_up(position, timeout_s=timeout_s),
            self._letters.caught_up(position, timeout_s=timeout_s),
        )
        return all(answers)

    async def tasks(self, query: ListTasks) -> Sequence[TaskRow]:
        return await self._ask(self._task_rows, lambda db: list_tasks(db, query))

    async def bulk(self, pool: str, asked: AskBulk) -> Mapping[str, int]:
        return await self._ask(self._task_rows, lambda db: count_bulk(db, pool, asked))

    async def task(self, task: UUID) -> TaskRow | None:
        return await self._ask(self._task_rows, lambda db: one_task(db, task))

    async def dead_letters(self, query: ListDeadLetters) -> Sequence[DeadLetterRow]:
        return await self._ask(self._letter_rows, lambda db: list_dead_letters(db, query))

    async def close(self) -> None:
        """Finish what was begun and close the files; end `run` before."""
        await self._tasks.close()
        await self._letters.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._task_rows.close()
        self._letter_rows.close()

    async def _follow(self, view: ProjectionRunner) -> None:
        await view.run(LogSource(self._log))
        if self._on_stopped is not None:
            self._on_stopped(view.name, self.stopped[view.name])

    async def _ask(
        self, db: sqlite3.Connection, question: Callable[[sqlite3.Connection], _ResultT]
    ) -> _ResultT:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, question, db)
