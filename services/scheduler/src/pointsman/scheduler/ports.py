"""What the scheduler needs from the world."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from pointsman.contracts.events import ModelRegistered
from pointsman.contracts.leases import LeaseOrder, LeaseReceipt
from pointsman.contracts.queries import DeadLetterRow, ListDeadLetters, ListTasks, TaskRow
from pointsman.contracts.telemetry import PoolSample


class Draws(Protocol):
    """Random numbers; every draw that decides is recorded."""

    def uniform(self) -> float:
        """Uniform in [0, 1)."""
        ...


class Orders(Protocol):
    """The way to executors."""

    async def send(self, executor: str, order: LeaseOrder) -> LeaseReceipt | None:
        """None if no receipt came within `RECEIPT_TIMEOUT_S`."""
        ...


class Readings(Protocol):
    """The way to whoever watches the pool; lossy."""

    async def publish(self, sample: PoolSample) -> None:
        """Send once, or not at all while the bus is away."""
        ...


class Registry(Protocol):
    """Variants that may be used."""

    def models(self, *, at: float, applied_to: int) -> Sequence[ModelRegistered]:
        """Every entry, as the event that would register it."""
        ...


class Views(Protocol):
    """Read models of tasks and dead letters, at most a moment behind the log."""

    async def caught_up(self, position: int, *, timeout_s: float) -> bool:
        """Return true once everything up to `position` can be asked for, false after the time."""
        ...

    async def tasks(self, query: ListTasks) -> Sequence[TaskRow]:
        """Newest first."""
        ...

    async def task(self, task: UUID) -> TaskRow | None:
        """One task, None if no such task was ever accepted."""
        ...

    async def dead_letters(self, query: ListDeadLetters) -> Sequence[DeadLetterRow]:
        """Newest first."""
        ...
