"""The root of every internal message and event, and the words they share."""

from enum import StrEnum

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A frozen fact or request.

    Unknown fields are ignored: a new optional field keeps the version of its message.
    Times are seconds since the Unix epoch (UTC), durations are seconds.
    """


class PriorityClass(StrEnum):
    """How urgent a task is by its kind; the windows stand in `pointsman.policy.order`."""

    INTERACTIVE = "interactive"
    STANDARD = "standard"
    BATCH = "batch"
    BACKGROUND = "background"


class Degradation(StrEnum):
    """What the caller allows when the best variant cannot serve in time, or takes no such input."""

    NONE = "none"
    SMALLER_MODEL = "smaller_model"
    SPLIT = "split"


class Delivery(StrEnum):
    """Who waits: nobody (`queued`, re-run when lost) or a connected client (`held`)."""

    QUEUED = "queued"
    HELD = "held"


class BlobRef(Message, frozen=True):
    """Where a payload or a result lies; the bytes themselves never enter the log."""

    digest: str
    """SHA-256 of tenant, a zero byte and the bytes, in hexadecimal."""
    size: int
    """Bytes."""
    media_type: str
    shard: str = ""
    """Which writer's shard of a local store holds it; empty in a shared store."""
