"""What the scheduler needs from the world."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from pointsman.contracts.bulk import AskBulk
from pointsman.contracts.commands import Answer
from pointsman.contracts.events import ModelRegistered, RoutingChanged
from pointsman.contracts.forwarding import ForwardTask
from pointsman.contracts.leases import LeaseOrder, LeaseReceipt
from pointsman.contracts.message import BlobRef
from pointsman.contracts.queries import DeadLetterRow, ListDeadLetters, ListTasks, TaskRow
from pointsman.contracts.telemetry import PoolSample
from pointsman.policy.disk_room import DiskReading
from pointsman.policy.parameters import Parameters
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy


class Contents(Protocol):
    """The blobs of all services, which are deleted when their time is over."""

    async def use(self, contents: Iterable[tuple[str, BlobRef]]) -> None:
        """Note that contents, with their tenants, are still needed; may take its time."""
        ...

    async def sweep(self) -> int:
        """Delete what was not used for long; how many contents. Raises `sqlite3.Error`."""
        ...


class Disk(Protocol):
    """The disk of the data directory."""

    async def read(self) -> DiskReading:
        """How full it is now; raises `OSError`."""
        ...


class Draws(Protocol):
    """Random numbers; every draw that decides is recorded."""

    def uniform(self) -> float:
        """Uniform in [0, 1)."""
        ...


class Neighbours(Protocol):
    """The leaders of the other pools of the group."""

    async def forward(self, pool: str, command: ForwardTask) -> Answer | None:
        """Have another pool take a task; None if it did not say in time whether it did."""
        ...


class Orders(Protocol):
    """The way to executors."""

    async def send(self, executor: str, order: LeaseOrder) -> LeaseReceipt | None:
        """None if no receipt came within `RECEIPT_TIMEOUT_S`."""
        ...

    async def bus_answers(self) -> bool:
        """Whether the bus carries messages now; what had been sent to this process is here then."""
        ...


class PolicySource(Protocol):
    """What the operator sets the policy to."""

    @property
    def parameters(self) -> Parameters:
        """All of it."""
        ...

    @property
    def source(self) -> str:
        """Where it comes from; empty: the defaults."""
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


class RoutingRules(Protocol):
    """What the operator says of families, tiers and domains."""

    def event(self, *, pool: str, at: float, applied_to: int) -> RoutingChanged:
        """All of it, as the event that would record it."""
        ...


class Snapshots(Protocol):
    """Where a pool is written down, so that a start need not fold the whole log."""

    async def restore(self, pool: Pool, *, incarnation: str, head: int) -> int:
        """Make an empty pool what the newest usable snapshot says; its position, 0 without one.

        What is damaged, of another release or life of the log, or ahead of `head` is passed over.
        """
        ...

    async def save(self, copy: PoolCopy, *, pool: str, incarnation: str) -> None:
        """Durable when it returns. Raises `OSError`."""
        ...


class Views(Protocol):
    """Read models of tasks and dead letters, at most a moment behind the log."""

    async def caught_up(self, position: int, *, timeout_s: float) -> bool:
        """Return true once everything up to `position` can be asked for, false after the time."""
        ...

    async def tasks(self, query: ListTasks) -> Sequence[TaskRow]:
        """Newest first."""
        ...

    async def bulk(self, pool: str, asked: AskBulk) -> Mapping[str, int]:
        """Tasks of a bulk in one pool, by state."""
        ...

    async def task(self, task: UUID) -> TaskRow | None:
        """One task, None if no such task was ever accepted."""
        ...

    async def dead_letters(self, query: ListDeadLetters) -> Sequence[DeadLetterRow]:
        """Newest first."""
        ...
