"""Events of a task's stream; the stream id is the task id.

Every decision carries what a replay needs: `at`, the time that it used, and `applied_to`,
the last log position that was folded before it. Random draws and the ids of device samples
stand in the event that used them.
"""

from pointsman.contracts.message import BlobRef, Degradation, Delivery, Message, PriorityClass
from pointsman.contracts.parts import PartsOutcome, SplitPlan
from pointsman.contracts.pool_choice import PoolChoice
from pointsman.contracts.routing import Judgement, Route


class Decision(Message, frozen=True):
    """What every recorded decision carries."""

    at: float
    applied_to: int


class Cause(Message, frozen=True):
    """An event that a decision rests on, besides those of its own task."""

    topic: str
    position: int
    detail: str
    """A sentence with its figures."""


class TaskAccepted(Decision, frozen=True):
    """The task is promised exactly one terminal event; it is queued from here on."""

    pool: str
    tenant: str
    family: str
    priority_class: PriorityClass
    key: float
    """Virtual deadline of `pointsman.policy.order`; only operators change it (`task.rekeyed`)."""
    variants: tuple[str, ...]
    """Admissible variants, most preferred first."""
    payload: BlobRef
    message_id: str
    """The sender's id: CloudEvent id or command id."""
    source: str
    """CloudEvents source of the request."""
    deadline: float | None = None
    boost_s: float = 0.0
    degradation: Degradation = Degradation.SMALLER_MODEL
    min_quality: float = 0.0
    max_attempts: int = 3
    delivery: Delivery = Delivery.QUEUED
    parameters: dict[str, str] | None = None
    traceparent: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    project: str | None = None
    conversation: str | None = None
    """Its earlier turns become part of the input before the task is granted."""
    context_tokens: int = 0
    """Most tokens of context and input together; 0: the context service's default."""
    cache: bool = False
    """An identical task's earlier result will do."""
    causes: tuple[Cause, ...] = ()
    """Events of other services that changed its key."""
    strict: bool = False
    """The deadline counts as missed already where the p99 of a run would miss it."""
    not_before: float | None = None
    """It is not queued before this time; its key counts from there."""
    depends_on: tuple[str, ...] = ()
    """Tasks that have to be completed before it is queued, all that were named."""
    awaits: tuple[str, ...] = ()
    """Those of them that had not ended at `applied_to`; the others had completed."""
    bulk: str = ""
    """Names the tasks that were submitted together."""
    schedule: str = ""
    """The schedule that made it."""
    parent: str = ""
    """The task whose input this is a part of."""
    part: int = 0
    """Its place among the parts of its parent, from 1."""
    band: str = ""
    """`simple`, `medium` or `complex`; empty: not judged."""
    complexity: float | None = None
    """0 to 1, what the band was read from."""
    split: SplitPlan | None = None
    """Its input is cut before anything runs; None: it runs as a whole."""
    judged: Judgement | None = None
    """What the score was read from, and what it means."""
    route: Route | None = None
    """Why it has this family; None: its sender named it."""
    pool_choice: PoolChoice | None = None
    """Why it is in this pool; None: nobody had to choose."""


class KeyComponents(Message, frozen=True):
    """The named parts of a task's priority at the moment of a decision, in seconds."""

    base_s: float
    """The class window: how long after arrival the task would be due by its class alone."""
    boost_s: float
    deadline_s: float | None = None
    """How much earlier than the class window its deadline makes it due."""
    floor_s: float = 0.0
    """The earliest due time that the class may claim."""
    age_s: float = 0.0
    """Time since its arrival: acceptance, or `not_before` if that is later."""


class Candidate(Message, frozen=True):
    """One way to run the task: a variant on a device, with its score."""

    device: str
    variant: str
    score: float
    """0 to 1, higher is better; see `pointsman.policy.placement`."""
    memory: float
    utilisation: float
    """Share of the device's slots that are free; 1 on an idle device."""
    temperature: float | None = None
    """None: not measured; the other weights are scaled up."""
    affinity: float = 0.0
    quality: float = 0.0
    expected_s: float | None = None
    """Expected time to the result, None while nothing has been measured."""
    refused: str | None = None
    """Why it could not be chosen."""


class Explanation(Message, frozen=True):
    """Why this task, here, now."""

    queued: int
    """Tasks waiting before the decision."""
    rank: int
    """Place of its class among the classes by their first task, from 1."""
    components: KeyComponents
    chosen: Candidate
    others: tuple[Candidate, ...] = ()
    """At most the 7 best alternatives."""
    more: int = 0
    """How many further alternatives there were."""
    more_digest: str = ""
    """SHA-256 (first 16 hexadecimal digits) of the alternatives left out."""
    passed: tuple[str, ...] = ()
    """Tasks with an earlier key that could not use this slot, at most 3."""
    config: str = ""
    """Version of the policy parameters."""
    level: str = ""
    """Rung of the degradation ladder; empty: normal."""
    causes: tuple[Cause, ...] = ()
    """Events of other services that turned this decision."""


class TaskPrepared(Decision, frozen=True):
    """What the attempts of a waiting task will run on; the task stays in the queue."""

    payload: BlobRef | None = None
    """Context and input together; None: the input alone."""
    assembly: str = ""
    """Stream of the `context.assembled` event."""
    kept: int = 0
    """Earlier turns in the payload."""
    dropped: int = 0
    tokens: int = 0
    note: str = ""
    """Why there is no context, if there is none."""


class BatchPlace(Message, frozen=True):
    """A call that several attempts share; it takes one slot until the last of them has ended."""

    id: str
    """Of the attempt that opened it: `<task>/<attempt>`."""
    size: int
    """Attempts that were granted to it; fewer come if one is cancelled before the call begins."""
    most: int
    """How many its variant takes on this device."""


class TaskGranted(Decision, frozen=True):
    """An attempt holds a lease on a slot, alone or with the others of its batch."""

    attempt: int
    round: int
    """Index of this decision among those with the same `applied_to` and `at`."""
    executor: str
    incarnation: str
    device: str
    variant: str
    run_timeout_s: float
    """From acceptance by the holder; passed to the engine as deadline."""
    explanation: Explanation
    samples: tuple[str, ...] = ()
    """Ids of the device samples that were used."""
    batch: BatchPlace | None = None
    """None: it has a call of its own."""


class TaskCompleted(Decision, frozen=True):
    """Terminal: the result is stored."""

    attempt: int
    device: str
    variant: str
    result: BlobRef
    queue_s: float
    """From when it was accepted, or might run, to the grant of the successful attempt; what it
    waited for other tasks is in it."""
    run_s: float
    """Measured by the holder around the engine call."""
    model_version: str = ""
    cached_from: str = ""
    """The task whose result this is, if none was run; attempt is then 0 and device empty."""
    progress_parts: int = 0
    """Signs of life that its model gave, checkpoints among them."""
    parts: PartsOutcome | None = None
    """Of a task that ran in parts: device and variant are empty then, `queue_s` ends and `run_s`
    begins with the lease to cut its input."""


class TaskFailed(Decision, frozen=True):
    """Terminal: no attempt succeeded and none will follow."""

    code: str
    message: str
    attempts: int


class TaskCancelled(Decision, frozen=True):
    """Terminal: somebody asked for it; a running call is stopped."""

    by: str
    reason: str
    attempt: int = 0
    """The attempt that was running, 0 if none."""


class TaskExpired(Decision, frozen=True):
    """Terminal: the deadline has passed or can no longer be met by any admissible variant."""

    deadline: float
    reason: str
    needed_s: float = 0.0
    """Median run time of the fastest admissible variant, as used."""


class TaskShed(Decision, frozen=True):
    """Terminal: given up under overload."""

    reason: str
    causes: tuple[Cause, ...] = ()


class TaskAbandoned(Decision, frozen=True):
    """Terminal: the client that held the request is gone."""

    reason: str
