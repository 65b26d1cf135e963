"""Questions and answers on `pm.query.scheduler[.<pool>].<verb>`; nothing here changes anything.

Without a pool any leader of the group answers, for the log or for the pool that it leads; with one,
its leader does. A request is one JSON object, its reply one JSON document. A refused question is
answered with a `Rejected` (see `commands`), recognised by its `status`.

verb            request         reply
`tasks`         `ListTasks`     list of `TaskRow`, newest first
`task`          `OneTask`       `TaskRow`
`why`           `OneTask`       `Why`
`events`        `ListEvents`    list of `Recorded`, in log order
`dead_letters`  `ListDeadLetters`  list of `DeadLetterRow`, newest first
`models`        `AskPool`       list of `ModelRow`
`devices`       `AskPool`       list of `DeviceRow`
`pool`          `AskPool`       `PoolRow`
`load`          `AskPool`       `PoolSample` (see `telemetry`), taken now
`preview`       `SubmitTask`    the `TaskAccepted` that it would become
`tenants`       `AskPool`       list of `TenantRow` (see `steering`)
`pauses`        `AskPool`       list of `PauseRow` (see `steering`)
`bulk`          `AskBulk`       `BulkRow` (see `bulk`)
`schedules`     `ListSchedules` list of `ScheduleRow` (see `schedules`)
`log`           `AskLog`        `LogRow`
"""

from uuid import UUID

from pointsman.contracts.message import BlobRef, Message


class ListTasks(Message, frozen=True):
    """Tasks of the group, newest first; filters combine.

    Parts of other tasks are left out unless `parts` or `parent` asks for them.
    """

    parts: bool = False
    parent: UUID | None = None
    """Only the parts of this task."""
    tenant: str | None = None
    state: str | None = None
    family: str | None = None
    bulk: str | None = None
    schedule: str | None = None
    pool: str | None = None
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
    held: str = ""
    """By whom and why it is held; empty: it is not."""
    boost_s: float = 0.0
    """How much earlier it is due than its class says."""
    bulk: str = ""
    """Names the tasks that were submitted together."""
    schedule: str = ""
    """The schedule that made it."""
    parent: UUID | None = None
    """The task that this is a part of."""
    part: int = 0
    """Its place among the parts, from 1."""
    parts: int = 0
    """How many parts its input was cut into."""
    band: str = ""
    """`simple`, `medium` or `complex`."""
    progress: float | None = None
    """0 to 1, as the model of its running attempt last said; only where one task is asked for."""
    progress_note: str = ""
    silent_s: float | None = None
    """How long before that its model had last said anything."""
    domain: str | None = None
    """Where its content was held to belong; None: its sender named the family."""
    pool: str = ""
    """The pool that has taken it."""


class Why(Message, frozen=True):
    """The history of one task in sentences."""

    task: UUID
    state: str
    sentences: tuple[str, ...]
    pool: str = ""
    """The pool that has taken it; its leader knows what the task waits for."""
    waits_for: str | None = None
    """What an open task waits for now."""
    positions: tuple[int, ...] = ()
    """Log positions that the sentences rest on."""
    around: tuple[int, ...] = ()
    """The same of events that are not the task's: of the pool, its devices and the tenant."""


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
    running: int = 0
    """Leased attempts and suspect slots."""
    running_limit: int | None = None
    """At most so many at the same time; None: as many as there are slots."""
    paused: str = ""
    """By whom and why; empty: it is not."""
    breakers: tuple[str, ...] = ()
    """Of devices where it is left alone at present, in words."""
    asked: tuple[str, ...] = ()
    """Loads and unloads that an operator has asked for and that are not done yet."""


class DeviceRow(Message, frozen=True):
    """A device of the pool."""

    device: str
    device_class: str
    endpoint: str
    executor: str
    state: str
    """`ready`, `draining`, `drained`, `suspended` or `detached`."""
    reason: str
    slots: int
    in_flight: int
    suspect: int
    variants: tuple[str, ...]
    mode: str = "fixed"
    breakers: tuple[str, ...] = ()
    """Of variants that are left alone on it at present, in words."""
    changing: str = ""
    """What is being loaded or unloaded now."""


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
    devices: int = 0
    """Those that are ready."""
    wait_s: float | None = None
    """The longest predicted wait of its families; None: no ready device serves any."""


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
