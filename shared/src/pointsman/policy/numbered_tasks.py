"""Waiting tasks by number, in many small tables.

One table of a million entries stops for 80 ms when it grows or is cleaned of removed ones, each of
these for about one.
"""

from typing import Final

from pointsman.policy.queued_task import QueuedTask

_TABLES: Final = 64


class NumberedTasks:
    """Tasks by their number."""

    __slots__ = ("_count", "_tables")

    def __init__(self) -> None:
        self._tables: list[dict[int, QueuedTask]] = [{} for _ in range(_TABLES)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, number: int) -> QueuedTask | None:
        """The task with this number, if it waits."""
        return self._tables[number % _TABLES].get(number)

    def put(self, task: QueuedTask) -> None:
        """Add a task, or put it in the place of the one with its number."""
        table = self._tables[task.number % _TABLES]
        self._count += task.number not in table
        table[task.number] = task

    def pop(self, number: int) -> QueuedTask | None:
        """Remove a task; None if it is not here."""
        task = self._tables[number % _TABLES].pop(number, None)
        self._count -= task is not None
        return task
