"""What the context service needs from the world; see `adapters` for what gives it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pointsman.context.domain.tasks import TaskFacts
from pointsman.contracts.commands import Answer, PrepareTask, SubmitTask
from pointsman.contracts.context import (
    ConversationRow,
    ListConversations,
    ListProjects,
    ProjectRow,
)
from pointsman.contracts.events import ResponseCached
from pointsman.contracts.message import BlobRef
from pointsman.runtime.errors import TransientError


class Tokens(Protocol):
    """How long a text is for a model."""

    def count(self, text: str) -> int:
        """0 only for an empty text."""
        ...


class SchedulerSilentError(TransientError):
    """The scheduler did not answer in time; the task goes on without the context service."""

    code = "scheduler_silent"


class Scheduler(Protocol):
    """Leaders of pools; both raise `SchedulerSilentError`."""

    async def prepare(self, pool: str, command: PrepareTask) -> Answer: ...

    async def submit(self, pool: str, task: SubmitTask) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Embedding:
    """What became of the embedding of a task's input: one of the two, or still open."""

    result: BlobRef | None = None
    failed: str = ""
    """How its task ended without a result."""

    @property
    def ended(self) -> bool:
        return self.result is not None or bool(self.failed)


@dataclass(frozen=True, slots=True)
class Growth:
    """A wish for another capacity of the context pool."""

    position: int
    factor: float


class TaskLedger(Protocol):
    """What the log says about tasks that concern this service: at most a moment behind it."""

    @property
    def position(self) -> int:
        """Everything up to here is known."""
        ...

    async def changed(self, seen: int, *, timeout_s: float) -> int:
        """Wait for a change beyond position `seen`, at most so long; the position to go on from."""
        ...

    async def due(self, accepted_after: float, *, limit: int) -> Sequence[TaskFacts]:
        """Tasks that demand something, in the order in which they began to.

        Those that were accepted later than a time and wait to be prepared, and completed ones
        without their turn or response; at most `limit` of either.
        """
        ...

    async def embeddings(self, tenant: str, tasks: Sequence[UUID]) -> Mapping[UUID, Embedding]:
        """Embeddings of the inputs of tasks that were ever asked for."""
        ...

    async def response(self, key: str) -> ResponseCached | None:
        """The last response recorded under a key, expired or not."""
        ...

    async def responses(self, *, at: float) -> int:
        """How many responses have not expired."""
        ...

    async def growths(self, pool: str, after: int) -> Sequence[Growth]:
        """Wishes of a pool beyond a position, in log order."""
        ...


class Catalogue(Protocol):
    """Lists of what there is."""

    async def projects(self, query: ListProjects) -> Sequence[ProjectRow]: ...

    async def conversations(self, query: ListConversations) -> Sequence[ConversationRow]: ...
