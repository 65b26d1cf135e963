"""A conversation: an aggregate whose events hold references to words, never the words."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from eventsourcing.domain import Aggregate

from pointsman.contracts.message import BlobRef, Message
from pointsman.contracts.streams import stream_id


class Turn(Message, frozen=True):
    """A completed task of a conversation."""

    task: UUID
    family: str
    variant: str
    input: BlobRef
    """The task's own input, without the context that it was given."""
    result: BlobRef
    input_tokens: int
    """0: no text."""
    result_tokens: int
    accepted_at: float
    completed_at: float
    cached_from: str = ""

    @property
    def is_text(self) -> bool:
        """Whether it can be read as a part of a context."""
        return is_text(self.input) and is_text(self.result)


def is_text(content: BlobRef) -> bool:
    """By its media type alone."""
    return content.media_type.startswith("text/")


def conversation_id(tenant: str, project: str | None, name: str) -> UUID:
    """The stream of a conversation."""
    return stream_id("conversation", f"{project or ''}/{name}", tenant)


class Conversation(Aggregate):
    """The turns of a conversation in the order in which their tasks completed."""

    TOPIC = "conversation.v1"

    class Event(Aggregate.Event):
        """The library asks for it."""

    class Created(Event, Aggregate.Created):
        """The first task with this name has completed."""

        TOPIC = "conversation.started.v1"
        tenant: str
        project: str
        name: str

    class TurnAppended(Event):
        """A task of the conversation has completed."""

        TOPIC = "conversation.turn_appended.v1"
        turn: dict[str, object]

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.turns.append(msgspec.convert(self.turn, Turn))

    def __init__(self, tenant: str, project: str, name: str) -> None:
        self.tenant = tenant
        self.project = project
        self.name = name
        self.turns: list[Turn] = []

    @classmethod
    def start(cls, tenant: str, project: str | None, name: str, *, at: float) -> "Conversation":
        return cls._create(
            cls.Created,
            id=conversation_id(tenant, project, name),
            timestamp=datetime.fromtimestamp(at, UTC),
            tenant=tenant,
            project=project or "",
            name=name,
        )

    def append(self, turn: Turn, *, at: float) -> None:
        """Let a turn follow; whether its task has one already is for the caller to know."""
        self.trigger_event(
            self.TurnAppended,
            turn=msgspec.to_builtins(turn),
            timestamp=datetime.fromtimestamp(at, UTC),
        )
