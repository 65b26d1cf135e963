"""What is known of a task that concerns the context service, from the log."""

from typing import Final
from uuid import UUID

from pointsman.context.domain.conversation import conversation_id
from pointsman.context.domain.responses import response_key
from pointsman.contracts.message import BlobRef, Message

PREPARATION_S: Final = 2.0
"""The scheduler waits so long from acceptance; afterwards a task runs on its input alone."""

SOURCE: Final = "/pointsman/context"
"""Of the tasks that this service submits; their message id ends in the task that they serve."""


class TaskFacts(Message, frozen=True):
    """A task with a conversation or a wish for the cache, as its events tell it."""

    task: UUID
    accepted: int
    """Log position."""
    accepted_at: float
    tenant: str
    pool: str
    family: str
    variants: tuple[str, ...]
    input: BlobRef
    parameters: dict[str, str] | None = None
    project: str | None = None
    conversation: str | None = None
    context_tokens: int = 0
    cache: bool = False
    prepared: BlobRef | None = None
    """Context and input together, as the scheduler took them."""
    completed: int | None = None
    """Log position; None: it runs, or waits to be prepared."""
    completed_at: float = 0.0
    result: BlobRef | None = None
    variant: str = ""
    cached_from: str = ""
    turn: bool = False
    """Its turn is in the log."""
    stored: bool = False
    """Its response is in the log."""

    @property
    def lane(self) -> UUID:
        """Tasks of one lane are taken one after the other: those of a conversation."""
        if self.conversation is None:
            return self.task
        return conversation_id(self.tenant, self.project, self.conversation)

    @property
    def order(self) -> int:
        """Position of the event that demands something."""
        return self.accepted if self.completed is None else self.completed

    @property
    def wants_turn(self) -> bool:
        return self.completed is not None and self.conversation is not None and not self.turn

    @property
    def wants_response(self) -> bool:
        """What came from the cache is in it."""
        ran = self.completed is not None and not self.cached_from
        return ran and self.cache and not self.stored

    def key(self, payload: BlobRef) -> str:
        """Of its response, when it runs on `payload`."""
        return response_key(
            self.tenant, self.family, self.variants, self.parameters, payload.digest
        )
