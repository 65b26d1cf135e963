"""Projects, conversations and contexts: commands to the context service, and its answers.

Commands travel as packs on `pm.cmd.context.<verb>`: a JSON array of one verb, answered by an array
of `commands.Answer` after the commit. Repeating a command id changes nothing.

verb                  command
`record_decision`     `RecordDecision`
`record_preference`   `RecordPreference`

Questions go to `pm.query.context.<verb>`: one JSON object in, one document out, or a `Rejected`.

verb             request              reply
`projects`       `ListProjects`       list of `ProjectRow`, last changed first
`project`        `OneProject`         `ProjectState`
`conversations`  `ListConversations`  list of `ConversationRow`, last changed first
`conversation`   `OneConversation`    `ConversationState`
`assembly`       `OneAssembly`        `Assembly`
`pool`           `AskContextPool`     `ContextPoolRow`
"""

from typing import Annotated, Final
from uuid import UUID

import msgspec

from pointsman.contracts.events import ContextAssembled
from pointsman.contracts.message import BlobRef, Message
from pointsman.contracts.subjects import NAME_PATTERN, TENANT_PATTERN

MAX_TITLE_CHARS: Final = 200
MAX_WORDS_CHARS: Final = 64 * 1024

Tenant = Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
CommandId = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TITLE_CHARS)]
Words = Annotated[str, msgspec.Meta(max_length=MAX_WORDS_CHARS)]


class RecordDecision(Message, frozen=True):
    """Write down what was decided in a project, and why. The first entry creates the project."""

    command_id: CommandId
    tenant: Tenant
    project: Name
    title: Title
    """Stands in the log as it is; the reason is kept in the blob store."""
    reason: Words
    by: str


class RecordPreference(Message, frozen=True):
    """Write down what somebody prefers in a project; a later value of the key replaces it."""

    command_id: CommandId
    tenant: Tenant
    project: Name
    key: Name
    value: Words
    by: str


class ListProjects(Message, frozen=True):
    """Projects of a tenant."""

    tenant: Tenant
    limit: int = 50
    """1 to 1000."""


class OneProject(Message, frozen=True):
    """A project now or at a past moment; at most one of `at` and `at_time` is given."""

    tenant: Tenant
    name: Name
    at: int | None = None
    """Log position: everything up to it counts."""
    at_time: float | None = None
    texts: bool = False
    """With reasons and values in words."""


class ListConversations(Message, frozen=True):
    """Conversations of a tenant."""

    tenant: Tenant
    project: Name | None = None
    """None: of every project, and of none."""
    limit: int = 50
    """1 to 1000."""


class OneConversation(Message, frozen=True):
    """A conversation now or at a past moment; at most one of `at` and `at_time` is given."""

    tenant: Tenant
    name: Name
    project: Name | None = None
    at: int | None = None
    """Log position: everything up to it counts."""
    at_time: float | None = None
    texts: bool = False
    """With inputs and results in words."""


class OneAssembly(Message, frozen=True):
    """What a task got to read of its conversation."""

    task: UUID
    texts: bool = False
    """With the payload in words."""


class AskContextPool(Message, frozen=True):
    """A question about the pool of contexts and the cache of responses."""


class ProjectRow(Message, frozen=True):
    """A project as the view knows it."""

    tenant: str
    project: str
    decisions: int
    preferences: int
    """Keys that have a value."""
    conversations: int
    position: int
    """Log position of the last event that concerns it."""
    changed_at: float


class DecisionRow(Message, frozen=True):
    """A decision of a project."""

    number: int
    """From 1 in its project."""
    title: str
    reason: BlobRef
    by: str
    at: float
    text: str | None = None
    """The reason; None: not asked for, or no longer there."""


class PreferenceRow(Message, frozen=True):
    """The last value of a key."""

    key: str
    value: BlobRef
    by: str
    at: float
    text: str | None = None
    """The value; None: not asked for, or no longer there."""


class ProjectState(Message, frozen=True):
    """A project at a moment."""

    tenant: str
    project: str
    version: int
    """Events of its stream that were folded."""
    position: int
    """Log position of the last of them."""
    created_at: float
    decisions: tuple[DecisionRow, ...] = ()
    preferences: tuple[PreferenceRow, ...] = ()


class ConversationRow(Message, frozen=True):
    """A conversation as the view knows it."""

    tenant: str
    conversation: str
    turns: int
    position: int
    """Log position of its last event."""
    changed_at: float
    project: str | None = None


class TurnRow(Message, frozen=True):
    """A question and its answer."""

    turn: int
    """From 1 in its conversation."""
    task: UUID
    family: str
    variant: str
    input: BlobRef
    result: BlobRef
    input_tokens: int
    result_tokens: int
    accepted_at: float
    completed_at: float
    cached_from: str = ""
    """The task whose result was used again."""
    input_text: str | None = None
    """None: not asked for, no text, or no longer there."""
    result_text: str | None = None


class ConversationState(Message, frozen=True):
    """A conversation at a moment."""

    tenant: str
    conversation: str
    version: int
    """Events of its stream that were folded."""
    position: int
    """Log position of the last of them."""
    started_at: float
    project: str | None = None
    turns: tuple[TurnRow, ...] = ()


class Assembly(Message, frozen=True):
    """A recorded context, and whether the log still gives the same bytes."""

    task: UUID
    stream: UUID
    """Of the `context.assembled` event."""
    position: int
    tenant: str
    assembled: ContextAssembled
    text: str | None = None
    """The payload, built again from the log; None: not asked for, or words are no longer there."""


class ContextPoolRow(Message, frozen=True):
    """The bounded memory of recently used conversations, and the cache of responses.

    Counts are since the start of the service.
    """

    capacity_bytes: int
    size_bytes: int
    entries: int
    hits: int
    misses: int
    evictions: int
    responses: int
    """Results that an identical task of the same tenant may have now."""
    response_hits: int
    response_misses: int
