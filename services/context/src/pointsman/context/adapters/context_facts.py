"""As much of each event as the view of this service holds."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from pointsman.contracts.events import ContextPoolGrown, Decision, ResponseCached
from pointsman.contracts.message import BlobRef, Message


class Accepted(Decision, frozen=True):
    """Of `task.accepted`."""

    pool: str
    tenant: str
    family: str
    variants: tuple[str, ...]
    payload: BlobRef
    message_id: str
    source: str
    parameters: dict[str, str] | None = None
    project: str | None = None
    conversation: str | None = None
    context_tokens: int = 0
    cache: bool = False


class Prepared(Decision, frozen=True):
    """Of `task.prepared`."""

    payload: BlobRef | None = None


class Completed(Decision, frozen=True):
    """Of `task.completed`."""

    variant: str
    result: BlobRef
    cached_from: str = ""


class EndedWithoutResult(Decision, frozen=True):
    """Of the other terminal events."""


class AggregateFact(Decision, frozen=True, kw_only=True):
    """Of an event whose bytes the library of aggregates wrote; its time is the recorded one."""

    at: float = 0.0
    applied_to: int = 0


class ProjectCreated(AggregateFact, frozen=True, kw_only=True):
    """Of `project.created`."""

    tenant: str
    name: str


class DecisionRecorded(AggregateFact, frozen=True, kw_only=True):
    """Of `project.decision_recorded`."""


class Preferred(Message, frozen=True):
    """The part of a preference that is counted."""

    key: str


class PreferenceRecorded(AggregateFact, frozen=True, kw_only=True):
    """Of `project.preference_recorded`."""

    preference: Preferred


class ConversationStarted(AggregateFact, frozen=True, kw_only=True):
    """Of `conversation.started`."""

    tenant: str
    project: str
    name: str


class AppendedTurn(Message, frozen=True):
    """The part of a turn that tells whose it is."""

    task: UUID


class TurnAppended(AggregateFact, frozen=True, kw_only=True):
    """Of `conversation.turn_appended`."""

    turn: AppendedTurn


ENDS: Final[Mapping[str, type[Decision]]] = {
    "task.completed.v1": Completed,
    "task.failed.v1": EndedWithoutResult,
    "task.cancelled.v1": EndedWithoutResult,
    "task.expired.v1": EndedWithoutResult,
    "task.shed.v1": EndedWithoutResult,
    "task.abandoned.v1": EndedWithoutResult,
}

ACCEPTED: Final = "task.accepted.v1"

TYPES: Final[Mapping[str, type[Decision]]] = {
    ACCEPTED: Accepted,
    "task.prepared.v1": Prepared,
    **ENDS,
    "project.created.v1": ProjectCreated,
    "project.decision_recorded.v1": DecisionRecorded,
    "project.preference_recorded.v1": PreferenceRecorded,
    "conversation.started.v1": ConversationStarted,
    "conversation.turn_appended.v1": TurnAppended,
    "context.response_cached.v1": ResponseCached,
    "behaviour.context_pool_grown.v1": ContextPoolGrown,
}
