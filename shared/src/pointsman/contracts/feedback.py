"""Commands and questions of the feedback service, and ratings as other systems send them.

`pm.cmd.feedback.<verb>` carries a list of commands, answered by a list of `commands.Answer`:

verb        command             answer
`give`      `GiveFeedback`      `Done` with the rating's id, also when it is repeated
`withdraw`  `WithdrawFeedback`  `Done` with how many ratings were withdrawn

`pm.query.feedback.<verb>` carries one question, answered by one document:

verb        request         reply
`show`      `ShowFeedback`  `FeedbackReport`
`ratings`   `ListRatings`   list of `RatingRow`, newest first
"""

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import msgspec
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
)

from pointsman.contracts.cloudevents import CloudEvent
from pointsman.contracts.message import BlobRef, Message
from pointsman.contracts.subjects import TENANT_PATTERN

MAX_COMMENT_CHARS: Final = 10_000
MAX_AUTHOR_CHARS: Final = 256

GIVE_TYPE: Final = "pointsman.feedback.give.v1"
_GIVE_NAME: Final = "pointsman.feedback.give"
_SHOWN_CHARS: Final = 200

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Author = Annotated[str, msgspec.Meta(max_length=MAX_AUTHOR_CHARS)]
_Tenant = Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]


class RatingKind(StrEnum):
    """What a rating consists of; any may have words beside it."""

    BOOLEAN = "boolean"
    """Good or bad."""
    SCORE = "score"
    """A share of perfect, 0 to 1."""
    COMMENT = "comment"
    """Words only; it measures nothing."""


class GiveFeedback(Message, frozen=True):
    """Rate the result of a completed task."""

    command_id: _Id
    tenant: _Tenant
    task: UUID
    kind: RatingKind
    value: bool | float | None = None
    """True or false, 0 to 1, nothing: by kind."""
    comment: str | None = None
    """At most `MAX_COMMENT_CHARS`; stored as a blob."""
    by: _Author = ""
    source: Annotated[str, msgspec.Meta(max_length=1024)] = "/pointsman/cli"


class WithdrawFeedback(Message, frozen=True):
    """Let ratings count no more: exactly one of `rating`, `task` and `family` says which."""

    command_id: _Id
    by: _Author
    """Who withdraws."""
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    tenant: _Tenant | None = None
    """Only its ratings; None: an operator's wish for all tenants."""
    rating: UUID | None = None
    task: UUID | None = None
    """All ratings of this task by `author`."""
    author: _Author = ""
    family: str | None = None
    """All ratings of this family since `since`."""
    since: float = 0.0


class ShowFeedback(Message, frozen=True):
    """What has been learned."""

    family: str | None = None


class ListRatings(Message, frozen=True):
    """Ratings, newest first; filters combine."""

    task: UUID | None = None
    family: str | None = None
    tenant: str | None = None
    limit: int = 50
    """1 to 1000."""


class RatingRow(Message, frozen=True):
    """A rating; its words are read by their reference."""

    rating: UUID
    at: float
    position: int
    tenant: str
    task: str
    family: str
    variant: str
    kind: str
    value: float | None = None
    comment: BlobRef | None = None
    by: str = ""
    source: str = ""
    withdrawn_by: str | None = None
    withdrawn_reason: str = ""


class VariantQuality(Message, frozen=True):
    """A variant by the registry and by its ratings."""

    variant: str
    ratings: int
    registered: float | None = None
    """Quality in the registry; None: not registered."""
    mean: float | None = None
    low: float | None = None
    high: float | None = None


class FamilyFeedback(Message, frozen=True):
    """What the ratings of a family have led to."""

    family: str
    ratings: int
    variants: tuple[VariantQuality, ...]
    """In the order of the registry, best first."""
    order: tuple[str, ...] = ()
    """The preferred order; empty: the registry's."""
    threshold: float = 0.0
    """No fallback below this quality."""
    average: float | None = None
    """Moving average of the ratings."""


class PoolBehaviour(Message, frozen=True):
    """The latest behaviour metrics of a pool with what follows from them."""

    pool: str
    at: float
    window_s: float
    tasks: int
    completion_rate: float | None = None
    average_quality: float | None = None
    resource_efficiency: float | None = None
    context_reuse_rate: float | None = None
    boost_s: float = 0.0
    boosted: tuple[str, ...] = ()
    """Classes that are due earlier by `boost_s`."""
    context_pool_factor: float = 1.0


class FeedbackReport(Message, frozen=True):
    """The answer to `show`."""

    families: tuple[FamilyFeedback, ...] = ()
    pools: tuple[PoolBehaviour, ...] = ()


class InvalidRatingError(ValueError):
    """The sender must correct the rating; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SentRating(BaseModel):
    """The data of `pointsman.feedback.give.v1`. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    task: UUID
    """The id that the acceptance of the task was answered with."""
    kind: RatingKind
    value: StrictBool | StrictFloat | StrictInt | None = None
    """`boolean`: true or false; `score`: 0 to 1; `comment`: nothing."""
    comment: str | None = Field(default=None, max_length=MAX_COMMENT_CHARS)
    by: str = Field(default="", max_length=MAX_AUTHOR_CHARS)
    """Whose opinion it is, as the sender names people."""


def rating_of(tenant: str, event: CloudEvent) -> GiveFeedback:
    """The rating that a CloudEvent carries; raises `InvalidRatingError`."""
    if event.type != GIVE_TYPE:
        raise _wrong_type(event.type)
    try:
        sent = SentRating.model_validate(event.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:_SHOWN_CHARS] or "data"
        raise InvalidRatingError("invalid_rating", f"{where}: {first['msg']}") from None
    value = sent.value
    return GiveFeedback(
        command_id=event.id,
        tenant=tenant,
        task=sent.task,
        kind=sent.kind,
        value=value if value is None or isinstance(value, bool) else float(value),
        comment=sent.comment,
        by=sent.by,
        source=event.source,
    )


def _wrong_type(type_: str) -> InvalidRatingError:
    name, _, version = type_.rpartition(".v")
    if name == _GIVE_NAME and version.isdigit():
        return InvalidRatingError(
            "newer_version",
            f"{type_} is newer than this Pointsman, which takes {GIVE_TYPE}: "
            "upgrade Pointsman or send the older version",
        )
    return InvalidRatingError("unknown_type", f"type {type_!r} is not taken here, send {GIVE_TYPE}")
