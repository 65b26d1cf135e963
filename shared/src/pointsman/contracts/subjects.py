"""Every NATS subject, stream and durable name; written here once and nowhere else."""

import base64
import re
from typing import Final
from uuid import UUID

FEED: Final = "pm.feed"
"""Packed committed events in log order, for our own services."""

POKE: Final = "pm.poke.log"
"""Core: a process says that it has appended to the log, to the others that follow it."""

FEED_STREAM: Final = "PM_FEED"
EVENT_STREAM: Final = "PM_EVT"
INBOX_STREAM: Final = "PM_INBOX"
INBOX_CONSUMER: Final = "scheduler"
"""The one durable consumer of the work queue, which the leaders of all pools share."""

INBOX_SUBJECTS: Final = "pm.inbox.tasks.*"
EVENT_SUBJECTS: Final = "pm.evt.>"
COMMAND_SUBJECTS: Final = "pm.cmd.>"
QUERY_SUBJECTS: Final = "pm.query.>"
TELEMETRY_SUBJECTS: Final = "pm.tel.>"
STREAM_SUBJECTS: Final = "pm.stream.*"

TENANT_PATTERN: Final = r"^[a-z0-9][a-z0-9_-]{0,62}\Z"
"""Tenants are subject tokens, so they hold no dot, space or wildcard."""

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z"
"""Names that callers give to projects and conversations."""

FEEDBACK_STREAM: Final = "PM_FEEDBACK"
FEEDBACK_SUBJECTS: Final = "pm.inbox.feedback.*"
FEEDBACK_CONSUMER: Final = "feedback"

MAX_ID_CHARS: Final = 256
"""Of a message id; the longest in base64 stay well below the server's 4 KiB for a subject."""

_SAFE_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


def inbox(tenant: str) -> str:
    """Where another system publishes tasks of `tenant`."""
    return f"pm.inbox.tasks.{tenant}"


def tenant_of_inbox(subject: str) -> str:
    """The tenant that the server's permissions vouch for: the last token."""
    return subject.rpartition(".")[2]


def answer(tenant: str, message_id: str) -> str:
    """Where the answer to one inbox message is published.

    A message id that is not a plain token is written as `=` and its URL-safe base64
    without padding, because CloudEvents allows any text as an id. Beyond `MAX_ID_CHARS`, which
    no accepted message has, it is cut: the server disconnects whoever uses a longer subject.
    """
    if _SAFE_TOKEN.fullmatch(message_id):
        return f"pm.answer.{tenant}.{message_id}"
    text = message_id[:MAX_ID_CHARS].encode(errors="replace")
    coded = base64.urlsafe_b64encode(text).decode().rstrip("=")
    return f"pm.answer.{tenant}.={coded}"


def answers(tenant: str) -> str:
    """All answers of one tenant."""
    return f"pm.answer.{tenant}.*"


def command(service: str, verb: str, pool: str | None = None) -> str:
    """An imperative to a service, or to the leader of one of its pools."""
    scope = service if pool is None else f"{service}.{pool}"
    return f"pm.cmd.{scope}.{verb}"


def query(service: str, verb: str, pool: str | None = None) -> str:
    """A question that changes nothing; with `pool`, to the leader of that pool."""
    scope = service if pool is None else f"{service}.{pool}"
    return f"pm.query.{scope}.{verb}"


def lease(pool: str, executor: str) -> str:
    """Grants and cancellations from the leader of `pool` to one executor."""
    return f"pm.lease.{pool}.{executor}"


def renewals(pool: str) -> str:
    """Lease renewals from executors to the leader of `pool`; lossy by design."""
    return f"pm.tel.lease.{pool}"


def stream(task: UUID) -> str:
    """What the model of a running task writes, while it writes it; lossy by design."""
    return f"pm.stream.{task}"


def feedback(tenant: str) -> str:
    """Where another system publishes ratings of `tenant`'s tasks."""
    return f"pm.inbox.feedback.{tenant}"


def pool_sample(pool: str) -> str:
    """The leader's reading of its pool."""
    return f"pm.tel.pool.{pool}"


def device_reading(device: str) -> str:
    """The resource monitor's reading of a device."""
    return f"pm.tel.device.{device}"


def event(topic: str) -> str:
    """The public subject of an event topic: `task.accepted.v1` -> `pm.evt.task.accepted`."""
    aggregate, name, _version = topic.split(".")
    return f"pm.evt.{aggregate}.{name}"
