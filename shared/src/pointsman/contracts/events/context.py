"""Events of the context service besides its aggregates: assemblies, cached responses, the pool."""

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import BlobRef, Message


class ContextItem(Message, frozen=True):
    """An earlier turn that was looked at for a context."""

    turn: int
    """Number of the turn in its conversation, from 1."""
    tokens: int
    recency: float
    """1 for the latest turn, halved at a fixed number of turns."""
    relevance: float | None
    """Cosine to the new input by the `embed` family, 0 to 1; None: not measured."""
    score: float
    why: str = ""
    """Why it was dropped; empty for one that was kept."""


class ContextAssembled(Decision, frozen=True):
    """What a task gets to read of its conversation; the same turns give the same bytes again."""

    task: str
    conversation: str
    conversation_version: int
    """Events of the conversation that were folded."""
    budget_tokens: int
    tokens: int
    """Of the kept turns and the input."""
    kept: tuple[ContextItem, ...]
    """In the order in which they stand in the payload."""
    dropped: tuple[ContextItem, ...]
    payload: BlobRef
    relevance: str
    """`embed`, or why relevance was not measured."""
    pooled: bool = False
    """The conversation's turns were still in the pool."""
    project: str = ""
    """Of the conversation; empty: none."""
    older: int = 0
    """Turns before the ones that were looked at: their recency is next to nothing."""


class ResponseCached(Decision, frozen=True):
    """A result that an identical task of the same tenant may have again."""

    key: str
    """SHA-256 over tenant, family, admissible variants, parameters and payload, in hexadecimal."""
    task: str
    """Whose result it is."""
    variant: str
    result: BlobRef
    expires_at: float


class ContextPoolResized(Decision, frozen=True):
    """The bound of the pool of assembled contexts changed."""

    before_bytes: int
    capacity_bytes: int
    reason: str
    cause: int = 0
    """Log position of the event that caused it."""
