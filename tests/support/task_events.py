"""Lives of tasks as events, for tests of what is made of them."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID, uuid4

import msgspec

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import Append, Appended, EventStore, NewEvent

CODEC: Final = EventCodec()
PAYLOAD: Final = BlobRef(digest="a" * 64, size=1_000, media_type="text/plain", shard="scheduler")
RESULT: Final = BlobRef(digest="b" * 64, size=100, media_type="text/plain", shard="executor")
NOON: Final = 1_767_268_800.0


def accepted(
    *, tenant: str = "acme", family: str = "summarize", traceparent: str | None = None
) -> Decision:
    return events.TaskAccepted(
        at=NOON,
        applied_to=0,
        pool="main",
        tenant=tenant,
        family=family,
        priority_class=PriorityClass.STANDARD,
        key=NOON + 30,
        variants=("large", "small"),
        payload=PAYLOAD,
        message_id="m-1",
        source="/tests",
        traceparent=traceparent,
        correlation_id=None if traceparent is None else 'a "correlation" of 100 %',
    )


def granted(attempt: int = 1, *, device: str = "cpu-0", variant: str = "large") -> Decision:
    chosen = events.Candidate(
        device=device, variant=variant, score=0.5, memory=0.5, utilisation=0.5
    )
    explanation = events.Explanation(
        queued=1,
        rank=1,
        components=events.KeyComponents(base_s=30, boost_s=0),
        chosen=chosen,
    )
    return events.TaskGranted(
        at=NOON + 1,
        applied_to=1,
        attempt=attempt,
        round=0,
        executor="executor-1",
        incarnation="i-1",
        device=device,
        variant=variant,
        run_timeout_s=10,
        explanation=explanation,
    )


def completed(attempt: int = 1, *, device: str = "cpu-0", variant: str = "large") -> Decision:
    return events.TaskCompleted(
        at=NOON + 2,
        applied_to=2,
        attempt=attempt,
        device=device,
        variant=variant,
        result=RESULT,
        queue_s=1.0,
        run_s=0.5,
    )


def prepared() -> Decision:
    return events.TaskPrepared(at=NOON + 0.5, applied_to=1, note="no earlier turn was kept")


def completed_from_cache(task: str = "earlier") -> Decision:
    return events.TaskCompleted(
        at=NOON + 1,
        applied_to=1,
        attempt=0,
        device="",
        variant="large",
        result=RESULT,
        queue_s=1.0,
        run_s=0.0,
        cached_from=task,
    )


def attempt_lost(attempt: int = 1) -> Decision:
    return events.AttemptLost(
        at=NOON + 2, applied_to=2, attempt=attempt, device="cpu-0", reason="lease_expired"
    )


def failed() -> Decision:
    return events.TaskFailed(
        at=NOON + 3, applied_to=3, code="engine_error", message="NaN", attempts=1
    )


def cancelled(reason: str = "") -> Decision:
    return events.TaskCancelled(at=NOON + 3, applied_to=3, by="ada", reason=reason)


def expired() -> Decision:
    return events.TaskExpired(at=NOON + 3, applied_to=3, deadline=NOON, reason="too late")


def dead_letter(message_id: str = "m-1") -> Decision:
    return events.DeadLetterRecorded(
        at=NOON,
        applied_to=0,
        subject="pm.inbox.tasks.acme",
        message_id=message_id,
        code="not_json",
        detail="not JSON: line 1",
        deliveries=5,
        headers={"Authorization": "secret"},
        body=PAYLOAD,
    )


def redriven(task: UUID) -> Decision:
    return events.DeadLetterRedriven(at=NOON + 9, applied_to=3, by="ada", task=str(task))


def stream_of(
    stream: UUID, decisions: Iterable[Decision], *, after: int = 0, tenant: str = "acme"
) -> list[NewEvent]:
    """Successive events of one stream."""
    return [
        NewEvent(uuid4(), stream, version, CODEC.topic(event), CODEC.encode(event), event, tenant)
        for version, event in enumerate(decisions, after + 1)
    ]


def a_plain_life(stream: UUID | None = None) -> list[NewEvent]:
    """Accepted, granted, completed."""
    return stream_of(stream or uuid4(), [accepted(), granted(), completed()])


async def record(store: EventStore, appended: Sequence[NewEvent]) -> int:
    """Append and return the last position."""
    answer = await store.append(Append(appended))
    assert isinstance(answer, Appended)
    return answer.positions[-1]


async def record_lives(store: EventStore, tasks: int) -> int:
    """Append the events of so many plain tasks; returns the last position."""
    last = 0
    for _ in range(tasks):
        last = await record(store, a_plain_life())
    return last


def as_recorded(appended: Iterable[NewEvent], *, after: int = 0, epoch: int = 1) -> list[Recorded]:
    """What a log that ended at `after` would give for these events."""
    return [
        Recorded(
            position=position,
            id=event.id,
            stream=event.stream,
            version=event.version,
            type=event.topic,
            time_us=int(NOON * 1_000_000) + position,
            tenant=event.tenant,
            epoch=epoch,
            data=msgspec.Raw(event.state),
        )
        for position, event in enumerate(appended, after + 1)
    ]
