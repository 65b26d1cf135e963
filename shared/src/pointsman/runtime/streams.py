"""The one place that creates JetStream streams and consumers; everybody else binds to them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    PersistMode,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError, ServerError

from pointsman.contracts import subjects
from pointsman.runtime.errors import FatalError

INCARNATION: Final = "pm-incarnation"
"""Metadata key: a new value for each new stream, so that a wiped one is not taken for the old."""

MAX_MESSAGE_BYTES: Final = 1024 * 1024
DUPLICATE_WINDOW_S: Final = 120.0
FEED_AGE_S: Final = 72 * 3600.0
"""Longest absence of a consumer; after it, it reads the log instead."""
ACK_WAIT_S: Final = 10.0
"""What a killed scheduler had been given comes back after this time, and queued work has to run
again within 20 s; handling a message takes the 5 s of an append at most."""
MAX_ACK_PENDING: Final = 1024

_GIB: Final = 1024**3
# A rating is a few hundred bytes, and the server reserves what a stream may grow to.
_RATINGS_SHARE: Final = 16
_log = structlog.get_logger(__name__)


class StreamMismatchError(FatalError):
    """A stream exists with settings that the server does not let us change."""

    code = "stream_mismatch"

    def __init__(self, stream: str, differences: Mapping[str, tuple[object, object]]) -> None:
        words = "; ".join(
            f"{name} is {found!r}, planned is {planned!r}"
            for name, (found, planned) in differences.items()
        )
        super().__init__(
            f"JetStream stream {stream!r} differs from the plan: {words}.",
            next_step="Back it up and remove it, or give Pointsman a NATS account of its own.",
        )
        self.stream = stream
        self.differences = dict(differences)


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A stream as it must be, with its consumers."""

    config: StreamConfig
    consumers: tuple[ConsumerConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What `provision` found and did with one stream."""

    stream: str
    incarnation: str
    created: bool = False
    repaired: tuple[str, ...] = ()
    """Names of the settings that differed and were set back, also those of its consumers."""


def plans(*, max_bytes: int = _GIB) -> tuple[StreamPlan, ...]:
    """All streams; `max_bytes` bounds each of them, that of the ratings to a sixteenth of it.

    The server must run with `sync_interval: always`. The work queues are the only streams that then
    sync every write: nothing else holds their messages until they are in the log. The other two are
    rebuilt from the log by the relay.
    """
    return (
        StreamPlan(
            _work_queue(
                subjects.INBOX_STREAM,
                subjects.INBOX_SUBJECTS,
                "Tasks sent by other systems, until the log has them",
                max_bytes,
            ),
            (_work_consumer(subjects.INBOX_CONSUMER),),
        ),
        StreamPlan(
            _work_queue(
                subjects.FEEDBACK_STREAM,
                subjects.FEEDBACK_SUBJECTS,
                "Ratings sent by other systems, until the log has them",
                max_bytes // _RATINGS_SHARE,
            ),
            (_work_consumer(subjects.FEEDBACK_CONSUMER),),
        ),
        StreamPlan(_rebuildable(subjects.FEED_STREAM, subjects.FEED, max_bytes)),
        StreamPlan(_rebuildable(subjects.EVENT_STREAM, subjects.EVENT_SUBJECTS, max_bytes)),
    )


def _work_queue(name: str, subject: str, description: str, max_bytes: int) -> StreamConfig:
    return StreamConfig(
        name=name,
        description=description,
        subjects=[subject],
        retention=RetentionPolicy.WORK_QUEUE,
        # Never drop what was acknowledged: the sender hears of a full queue.
        discard=DiscardPolicy.NEW,
        max_bytes=max_bytes,
        max_msg_size=MAX_MESSAGE_BYTES,
        duplicate_window=DUPLICATE_WINDOW_S,
        storage=StorageType.FILE,
        num_replicas=1,
    )


def _work_consumer(name: str) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=name,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        # The acknowledgement policy counts, and records before it gives up.
        max_deliver=-1,
        max_ack_pending=MAX_ACK_PENDING,
    )


def _rebuildable(name: str, subject: str, max_bytes: int) -> StreamConfig:
    return StreamConfig(
        name=name,
        description="Committed events, published from the log",
        subjects=[subject],
        retention=RetentionPolicy.LIMITS,
        discard=DiscardPolicy.OLD,
        max_age=FEED_AGE_S,
        max_bytes=max_bytes,
        max_msg_size=MAX_MESSAGE_BYTES,
        duplicate_window=DUPLICATE_WINDOW_S,
        storage=StorageType.FILE,
        num_replicas=1,
        deny_delete=True,
        deny_purge=True,
        persist_mode=PersistMode.ASYNC,
    )


async def provision(nc: Client, plan: Sequence[StreamPlan] | None = None) -> list[Provisioned]:
    """Create what is missing and set back what differs; running it again changes nothing.

    Nothing is ever deleted, purged or created anew.

    Raises:
        StreamMismatchError: a difference that only removing the stream would cure.
    """
    manager = nc.jetstream()
    return [await _provision(manager, each) for each in (plans() if plan is None else plan)]


async def provision_consumer(nc: Client, stream: str, plan: ConsumerConfig) -> None:
    """Create a durable consumer or set it back to its plan.

    Raises:
        nats.js.errors.NotFoundError: there is no such stream.
        StreamMismatchError: a difference that only removing the consumer would cure.
    """
    await _provision_consumer(nc.jetstream(), stream, plan)


async def incarnation(nc: Client, stream: str) -> str:
    """Which life of the stream this is; raises `nats.js.errors.NotFoundError`."""
    info = await nc.jsm().stream_info(stream)
    return (info.config.metadata or {}).get(INCARNATION, "")


async def _provision(manager: JetStreamContext, plan: StreamPlan) -> Provisioned:
    name = str(plan.config.name)
    created = False
    try:
        found = (await manager.stream_info(name)).config
    except NotFoundError:
        found, created = await _create(manager, plan.config)
    repaired = await _repair_stream(manager, name, found, plan.config)
    for consumer in plan.consumers:
        repaired += await _provision_consumer(manager, name, consumer)
    life = (found.metadata or {}).get(INCARNATION, "")
    return Provisioned(name, life, created=created, repaired=repaired)


async def _create(manager: JetStreamContext, config: StreamConfig) -> tuple[StreamConfig, bool]:
    marked = config.evolve(metadata={INCARNATION: str(uuid.uuid4())})
    try:
        found = (await manager.add_stream(marked)).config
    except BadRequestError:
        # Another provisioner was faster; its incarnation is the one.
        return (await manager.stream_info(str(config.name))).config, False
    _log.info(
        "stream_created", stream=config.name, incarnation=(marked.metadata or {})[INCARNATION]
    )
    return found, True


async def _repair_stream(
    manager: JetStreamContext, name: str, found: StreamConfig, planned: StreamConfig
) -> tuple[str, ...]:
    differences = _differences(found, planned)
    metadata = dict(found.metadata or {})
    if INCARNATION not in metadata:
        metadata[INCARNATION] = str(uuid.uuid4())
        differences[INCARNATION] = (None, metadata[INCARNATION])
    if not differences:
        return ()
    _log.warning("stream_differs", stream=name, found_and_planned=differences)
    changes = {key: getattr(planned, key) for key in differences if key != INCARNATION}
    found.metadata = metadata
    try:
        await manager.update_stream(found.evolve(**changes))
    except (BadRequestError, ServerError) as error:
        raise StreamMismatchError(name, differences) from error
    return tuple(differences)


async def _provision_consumer(
    manager: JetStreamContext, stream: str, planned: ConsumerConfig
) -> tuple[str, ...]:
    name = str(planned.durable_name)
    try:
        found = (await manager.consumer_info(stream, name)).config
    except NotFoundError:
        await manager.add_consumer(stream, planned)
        _log.info("consumer_created", stream=stream, consumer=name)
        return ()
    differences = _differences(found, planned)
    if not differences:
        return ()
    _log.warning("consumer_differs", stream=stream, consumer=name, found_and_planned=differences)
    changes = {key: getattr(planned, key) for key in differences}
    try:
        await manager.add_consumer(stream, found.evolve(**changes))
    except (BadRequestError, ServerError) as error:
        raise StreamMismatchError(f"{stream}.{name}", differences) from error
    return tuple(f"{name}.{key}" for key in differences)


def _differences(
    found: StreamConfig | ConsumerConfig, planned: StreamConfig | ConsumerConfig
) -> dict[str, tuple[object, object]]:
    """Setting -> (found, planned), for the settings that the plan states."""
    there, wanted = found.as_dict(), planned.as_dict()
    return {
        key: (there.get(key), value)
        for key, value in wanted.items()
        if there.get(key) != value and getattr(planned, key) is not None
    }
