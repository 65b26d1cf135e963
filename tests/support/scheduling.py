"""Builders of what a scheduler folds and is asked, with one plausible value for everything."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision, Residency
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceOffer,
    Outcome,
    RunCompleted,
)
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.domain.influences import Influences
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round

NOON: Final = 1_767_268_800.0
"""2026-01-01 12:00 UTC."""

A: Final = UUID("019b7a3e-0000-7000-8000-00000000000a")
B: Final = UUID("019b7a3e-0000-7000-8000-00000000000b")
C: Final = UUID("019b7a3e-0000-7000-8000-00000000000c")

INFLUENCES: Final = Influences("main").types
"""Events of other services that the pool's decisions stand on."""

PAYLOAD: Final = BlobRef(digest="ab" * 32, size=120, media_type="text/plain", shard="scheduler")
RESULT: Final = BlobRef(digest="cd" * 32, size=60, media_type="text/plain", shard="executor-1")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a history, as the log would hold it."""

    position: int
    stream: UUID
    version: int
    event: Decision


class History:
    """A log in memory with the pool that has folded it; accepts what a store would accept."""

    def __init__(self) -> None:
        self.pool = Pool("main")
        self.entries: list[Entry] = []
        self._versions: dict[UUID, int] = {}

    def record(self, decided: Decided) -> bool:
        """Append and fold; false if a stream has moved on since the decision."""
        together = (decided, *decided.also)
        if any(self._versions.get(each.stream, 0) != each.after for each in together):
            return False
        for each in together:
            self.append(each.stream, *each.events)
        return True

    def append(self, stream: UUID, *recorded: Decision) -> None:
        for event in recorded:
            version = self._versions.get(stream, 0) + 1
            self._versions[stream] = version
            entry = Entry(len(self.entries) + 1, stream, version, event)
            self.entries.append(entry)
            self.pool.evolve(entry.position, stream, version, event)

    def round(self, at: float) -> list[Decided]:
        """Decide and record one round."""
        decided = decide_round(self.pool, at=at)
        assert all(self.record(item) for item in decided)
        return decided

    def of(self, task: UUID) -> list[Decision]:
        return [entry.event for entry in self.entries if entry.stream == task]


def folded(entries: Iterable[Entry], *, up_to: int | None = None) -> Pool:
    """A new pool from stored bytes, as another process would fold it."""
    codec, pool = EventCodec(), Pool("main")
    for entry in entries:
        if up_to is not None and entry.position > up_to:
            break
        event = codec.decode(codec.topic(entry.event), codec.encode(entry.event))
        pool.evolve(entry.position, entry.stream, entry.version, event)
    return pool


def given(*recorded: Decision | tuple[UUID, Decision]) -> History:
    """A history of events; those of tasks come with the id of their task."""
    history = History()
    for item in recorded:
        stream, event = item if isinstance(item, tuple) else (_stream_of(item), item)
        history.append(stream, event)
    return history


def granted_events(decided: Iterable[Decided]) -> dict[UUID, events.TaskGranted]:
    """The grants among decisions, by task."""
    return {
        item.stream: event
        for item in decided
        for event in item.events
        if isinstance(event, events.TaskGranted)
    }


def model(
    variant: str = "fast",
    *,
    family: str = "summarize",
    quality: float = 0.5,
    service_s: float = 0.1,
    service_p99_s: float | None = None,
) -> events.ModelRegistered:
    return events.ModelRegistered(
        at=NOON,
        applied_to=0,
        variant=variant,
        family=family,
        quality=quality,
        memory_mib=64.0,
        load_s=0.5,
        slots=4,
        service_s=service_s,
        service_p99_s=4 * service_s if service_p99_s is None else service_p99_s,
        media_type="text/plain",
    )


def attached(
    device: str = "cpu-0",
    *,
    slots: int = 1,
    variants: tuple[str, ...] = ("fast",),
    executor: str = "executor-1",
    incarnation: str = "first",
    quiescent: bool = False,
    max_batch: int = 1,
) -> events.DeviceAttached:
    return events.DeviceAttached(
        at=NOON,
        applied_to=0,
        pool="main",
        device=device,
        executor=executor,
        incarnation=incarnation,
        endpoint="grpc://127.0.0.1:8001",
        device_class="cpu",
        slots=slots,
        residency=tuple(Residency(variant=v, slots=slots, max_batch=max_batch) for v in variants),
        quiescent=quiescent,
    )


def suspended(device: str = "cpu-0") -> events.DeviceSuspended:
    return events.DeviceSuspended(at=NOON, applied_to=0, device=device, reason="canary failed")


def accepted(  # noqa: PLR0913 - a builder has one argument per fact
    *,
    at: float = NOON,
    key: float | None = None,
    family: str = "summarize",
    variants: tuple[str, ...] = ("fast",),
    deadline: float | None = None,
    max_attempts: int = 3,
    priority_class: PriorityClass = PriorityClass.STANDARD,
    conversation: str | None = None,
    cache: bool = False,
    tenant: str = "acme",
) -> events.TaskAccepted:
    return events.TaskAccepted(
        at=at,
        applied_to=0,
        pool="main",
        tenant=tenant,
        family=family,
        priority_class=priority_class,
        key=at + 30 if key is None else key,
        variants=variants,
        payload=PAYLOAD,
        message_id="order-1",
        source="/shop",
        deadline=deadline,
        max_attempts=max_attempts,
        conversation=conversation,
        cache=cache,
    )


def submission(  # noqa: PLR0913 - a builder has one argument per fact
    *,
    command_id: str = "order-1",
    tenant: str = "acme",
    family: str = "summarize",
    payload: bytes | None = b"some text",
    priority_class: PriorityClass = PriorityClass.STANDARD,
    deadline: float | None = None,
    max_attempts: int = 3,
    conversation: str | None = None,
    cache: bool = False,
) -> SubmitTask:
    return SubmitTask(
        command_id=command_id,
        tenant=tenant,
        family=family,
        payload=payload,
        priority_class=priority_class,
        deadline=deadline,
        max_attempts=max_attempts,
        conversation=conversation,
        cache=cache,
    )


def offer(
    device: str = "cpu-0",
    *,
    slots: int = 1,
    variants: tuple[str, ...] = ("fast",),
    quiescent: bool = False,
    max_batch: int = 1,
) -> DeviceOffer:
    return DeviceOffer(
        device=device,
        endpoint="grpc://127.0.0.1:8001",
        device_class="cpu",
        slots=slots,
        residency=tuple(Residency(variant=v, slots=slots, max_batch=max_batch) for v in variants),
        quiescent=quiescent,
    )


def attach(
    *offers: DeviceOffer, executor: str = "executor-1", incarnation: str = "first"
) -> AttachExecutor:
    return AttachExecutor(
        command_id=f"{incarnation}/attach",
        executor=executor,
        incarnation=incarnation,
        devices=offers,
    )


COMPLETED: Final = RunCompleted(result=RESULT, run_s=0.25, model_version="1")


def report(
    task: UUID,
    attempt: int,
    outcome: Outcome = COMPLETED,
    *,
    device: str = "cpu-0",
    executor: str = "executor-1",
    incarnation: str = "first",
) -> AttemptReport:
    return AttemptReport(
        executor=executor,
        incarnation=incarnation,
        device=device,
        task=task,
        attempt=attempt,
        outcome=outcome,
    )


def _stream_of(event: Decision) -> UUID:
    match event:
        case events.ModelRegistered():
            return stream_id("model", event.variant)
        case events.DeviceAttached() | events.DeviceDetached() | events.DeviceSuspended():
            return stream_id("device", event.device)
        case events.DeviceResumed() | events.SlotReleased():
            return stream_id("device", event.device)
        case events.LeaderElected():
            return stream_id("pool", event.pool)
        case events.RoutingChanged():
            return stream_id("routing", event.pool)
        case _ if type(event) in INFLUENCES:
            return stream_id("influences", "main")
        case _:
            message = f"name the stream of {type(event).__name__}"
            raise AssertionError(message)
