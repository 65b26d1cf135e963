"""Imperatives and their answers on `pm.cmd`; hot, so structs and packed.

A message carries a JSON array of commands of one verb; its reply carries the array of their
answers in the same order, after the commit. A repeated command id gets the earlier answer.
"""

from typing import Annotated, Final
from uuid import UUID

import msgspec

from pointsman.contracts.bulk import BulkCancelled
from pointsman.contracts.message import BlobRef, Degradation, Delivery, Message, PriorityClass
from pointsman.contracts.pool_choice import PoolChoice
from pointsman.contracts.subjects import NAME_PATTERN, TENANT_PATTERN

MAX_PAYLOAD_BYTES: Final = 512 * 1024
"""Inline payloads; larger ones are put into the blob store first and sent by reference."""

MAX_DEPENDENCIES: Final = 64
"""Of one task; a wider fan-in is a task in between."""


class SubmitTask(Message, frozen=True):
    """Queue a task. Exactly one of `payload` and `payload_ref` is given."""

    command_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    family: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    payload: bytes | None = None
    payload_ref: BlobRef | None = None
    media_type: str = "text/plain"
    model: str | None = None
    """Only this variant."""
    priority_class: PriorityClass = PriorityClass.STANDARD
    deadline: float | None = None
    boost_s: float = 0.0
    degradation: Degradation | None = None
    """None: what its class allows, `split` for batch and background work, else `smaller_model`."""
    min_quality: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    delivery: Delivery = Delivery.QUEUED
    parameters: dict[str, str] | None = None
    source: str = "/pointsman/cli"
    traceparent: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    project: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)] | None = None
    conversation: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)] | None = None
    """A name inside the tenant (and project); the first task with it starts the conversation."""
    context_tokens: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    cache: bool = False
    not_before: float | None = None
    depends_on: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=MAX_DEPENDENCIES)] = ()
    """Tasks of the same tenant that have to be completed before it is queued."""
    bulk: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)] | None = None
    """Names the tasks that are submitted together."""
    schedule: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)] | None = None
    """The schedule that makes it; only the scheduler itself says so."""
    pool_choice: PoolChoice | None = None
    """Why it goes to this pool of the group; no part of what tells it from another request."""


class PrepareTask(Message, frozen=True):
    """The context service is done with a task that waits for it.

    Exactly one of these holds: `cached` is given (the task completes with it), `payload` is given
    (the task runs on it), neither (it runs on its input alone, for the reason in `note`).
    """

    command_id: str
    task: UUID
    payload: BlobRef | None = None
    assembly: str = ""
    kept: int = 0
    dropped: int = 0
    tokens: int = 0
    note: str = ""
    cached: BlobRef | None = None
    cached_from: str = ""
    cached_variant: str = ""


class CancelTask(Message, frozen=True):
    """End a task that has no terminal event yet; a running call is stopped."""

    command_id: str
    task: UUID
    by: str
    reason: str = ""


class RedriveDeadLetter(Message, frozen=True):
    """Submit a dead letter's message again, as a new task."""

    command_id: str
    dead_letter: UUID
    by: str


class ArchiveTasks(Message, frozen=True):
    """Move tasks out of the log that ended beyond `after` and up to a moment, some at a time.

    Exactly one of `before_position` and `before_time` is given. What it repeats is not moved twice.
    """

    command_id: str
    by: str
    before_position: int | None = None
    before_time: float | None = None
    after: int = 0
    """`upto` of the answer before."""


class Accepted(Message, frozen=True, tag_field="status", tag="accepted"):
    """The command took effect at `position`."""

    task: UUID
    position: int = 0


class Duplicate(Message, frozen=True, tag_field="status", tag="duplicate"):
    """The same command id and body came before; this is its task."""

    task: UUID
    position: int = 0


class Done(Message, frozen=True, tag_field="status", tag="done"):
    """The command took effect, or had nothing left to do."""

    detail: str = ""


class Archived(Message, frozen=True, tag_field="status", tag="archived"):
    """Some ended tasks stand in a segment of the archive now, or there were none."""

    upto: int
    """Tasks that ended up to this position have been looked at."""
    more: bool
    """Whether to ask again with `after` = `upto`."""
    events: int = 0
    tasks: int = 0
    segment: str = ""
    """Name of the file."""
    size: int = 0
    """Its bytes."""


class Rejected(Message, frozen=True, tag_field="status", tag="rejected"):
    """Nothing was recorded; the sender must change the request."""

    code: str
    message: str
    next: str = ""
    """What the sender can do."""


class NotLeader(Message, frozen=True, tag_field="status", tag="not_leader"):
    """This scheduler does not lead the pool; ask again for up to 5 s."""


class Unavailable(Message, frozen=True, tag_field="status", tag="unavailable"):
    """Nothing was recorded, or that is in doubt; repeat with the same command id."""

    retry_after_s: float
    message: str = ""
    code: str = ""
    """What is in the way, if it is not the log: `disk_full`."""
    next: str = ""
    """What the operator can do."""


Answer = Accepted | Duplicate | Done | Archived | BulkCancelled | Rejected | NotLeader | Unavailable

_answer_encoder: Final = msgspec.json.Encoder()
_answers_decoder: Final = msgspec.json.Decoder(list[Answer])
_answer_decoder: Final = msgspec.json.Decoder(Answer)


def encode_answer(answer: Answer) -> bytes:
    """One answer as JSON; its kind stands in `status`."""
    return _answer_encoder.encode(answer)


def decode_answer(body: bytes) -> Answer:
    """Raises `msgspec.MsgspecError`."""
    return _answer_decoder.decode(body)


def decode_answers(body: bytes) -> list[Answer]:
    """Raises `msgspec.MsgspecError`."""
    return _answers_decoder.decode(body)
