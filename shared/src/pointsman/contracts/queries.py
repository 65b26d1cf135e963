"""Questions and answers on `pm.query.scheduler.<verb>`; nothing here changes anything.

A request is one JSON object, its reply one JSON document. A refused question is answered with a
`Rejected` (see `commands`), recognised by its `status`.

verb            request         reply
`tasks`         `ListTasks`     list of `TaskRow`, newest first
`task`          `OneTask`       `TaskRow`
`why`           `OneTask`       `Why`
`events`        `ListEvents`    list of `Recorded`, in log order
`dead_letters`  `ListDeadLetters`  list of `DeadLetterRow`, newest first
`models`        `AskPool`       list of `ModelRow`
`devices`       `AskPool`       list of `DeviceRow`
`pool`          `AskPool`       `PoolRow`
`log`           `AskLog`        `LogRow`
"""

from uuid import UUID

from pointsman.contracts.message import BlobRef, Message


class ListTasks(Message, frozen=True):
    """Tasks of the pool, newest first; filters combine."""

    tenant: str | None = None
    state: str | None = None
    family: str | None = None
    limit: int = 50
    """1 to 1000."""


class OneTask(Message, frozen=True):
    """One task by id."""

    task: UUID


class ListEvents(Message, frozen=True):
    """Events beyond a position in log order, or of one stream."""

    after: int = 0
    limit: int = 100
    """1 to 1000."""
    topics: tuple[str, ...] = ()
    stream: UUID | None = None


class ListDeadLetters(Message, frozen=True):
    """Messages that were set aside."""

    limit: int = 50


class AskPool(Message, frozen=True):
    """A question about the pool that the answering scheduler leads."""


class AskLog(Message, frozen=True):
    """A question about the log itself."""


class TaskRow(Message, frozen=True):
    """A task as the view knows it."""

    task: UUID
    tenant: str
    family: str
    priority_class: str
    state: str
    accepted_at: float
    position: int
    """Log position of the last event that the view has folded for this task."""
    deadline: float | None = None
    attempts: int = 0
    device: str | None = None
    variant: str | None = None
    queue_s: float | None = None
    run_s: float | None = None
    ended_at: float | None = None
    code: str | None = None
    """Of a failure, expiry or cancellation."""
    detail: str | None = None
    message_id: str = ""
    source: str = ""
    payload: BlobRef | None = None
    result: BlobRef | None = None


class Why(Message, frozen=True):
    """The history of one task in sentences."""

    task: UUID
    state: str
    sentences: tuple[str, ...]
    waits_for: str | None = None
    """What an open task waits for now."""
    positions: tuple[int, ...] = ()
    """Log positions that the sentences rest on."""


class DeadLetterRow(Message, frozen=True):
    """A message that was set aside."""

    dead_letter: UUID
    at: float
    position: int
    tenant: str
    subject: str
    message_id: str
    code: str
    detail: str
    deliveries: int
    redriven_by: str | None = None
    redriven_task: str | None = None


class ModelRow(Message, frozen=True):
    """A variant, with where it is loaded and what has been measured."""

    variant: str
    family: str
    quality: float
    memory_mib: float
    load_s: float
    slots: int
    """Calls that all devices together run of it at the same time."""
    devices: tuple[str, ...] = ()
    runs: int = 0
    p50_s: float | None = None
    p99_s: float | None = None


class DeviceRow(Message, frozen=True):
    """A device of the pool."""

    device: str
    device_class: str
    endpoint: str
    executor: str
    state: str
    """`ready`, `suspended` or `detached`."""
    reason: str
    slots: int
    in_flight: int
    suspect: int
    variants: tuple[str, ...]


class PoolRow(Message, frozen=True):
    """The pool as its leader sees it."""

    pool: str
    epoch: int
    holder: str
    position: int
    """Last log position that the leader has folded."""
    queued: int
    granted: int
    feed_position: int = 0
    """Last position that the relay has published to the feed."""
    pid: int = 0


class Ancestor(Message, frozen=True):
    """An earlier life of a log, and the last position that the present one shares with it."""

    incarnation: str
    position: int


class LogRow(Message, frozen=True):
    """Which life of the log this is, and how far it has come."""

    incarnation: str
    """A restore to an earlier time begins another."""
    position: int
    """Last committed position."""
    ancestors: tuple[Ancestor, ...] = ()
    """The lives that it was restored from, latest first."""
