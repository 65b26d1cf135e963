"""What the feedback service needs from the world."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pointsman.contracts.task_states import TaskState
from pointsman.feedback.domain.behaviour import Window


@dataclass(frozen=True, slots=True)
class RatedTask:
    """What a rating has to know of its task."""

    tenant: str
    pool: str
    family: str
    state: TaskState
    """`QUEUED` until it ends: what runs cannot be rated either."""
    variant: str
    """The one that served; empty unless it has completed."""
    conversation: str | None


@dataclass(frozen=True, slots=True)
class RegisteredVariant:
    """A variant by the registry."""

    variant: str
    family: str
    quality: float


class TaskFacts(Protocol):
    """Tasks and registered variants as far as the feed has told them."""

    @property
    def position(self) -> int:
        """Everything up to here can be asked for."""
        ...

    async def up_to_date(self, *, timeout_s: float) -> bool:
        """Wait for what is in the log now; false after the time, or if the view has stopped."""
        ...

    async def task(self, task: UUID) -> RatedTask | None:
        """One task, None if no such task was accepted as far as is known."""
        ...

    async def variants(self) -> list[RegisteredVariant]:
        """By family, best registered quality first."""
        ...

    async def windows(self, since: float) -> Mapping[str, Window]:
        """Counts of each pool over the tasks that ended since a time, in steps of 10 s."""
        ...
