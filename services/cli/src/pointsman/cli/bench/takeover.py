"""`pointsman bench takeover`: how soon a start knows a pool with many open tasks.

Real are the SQLite log with its events, the processes, the pool, the fold and the snapshots.
Simulated is how the log came about: the events are appended by this command instead of being
decided, no device ran anything, and there is no bus.
"""

import asyncio
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Final, TypedDict
from uuid import UUID

import msgspec
import uuid_utils.compat

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.output import Document
from pointsman.contracts.events import (
    Candidate,
    Decision,
    DeviceAttached,
    Explanation,
    KeyComponents,
    ModelRegistered,
    Residency,
    TaskAccepted,
    TaskCompleted,
    TaskGranted,
)
from pointsman.contracts.message import BlobRef, PriorityClass
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import Append, Appended, NewEvent, SqliteEventStore

SIMULATED: Final = "the events were appended by this command; no device ran, there is no bus"
TAIL_TASKS: Final = 16_600
"""Tasks that end after the snapshot: 49 800 events, about as many as there ever are."""

_POOL: Final = "main"
_VARIANTS: Final = ("summarize-textrank-embeddings", "summarize-textrank-tfidf", "summarize-lead")
_DEVICE: Final = "cpu-0"
_AT: Final = 1_767_268_800.0
_TOGETHER: Final = 256
_TIMEOUT_S: Final = 60.0

_codec: Final = EventCodec()


class TakeoverReport(TypedDict):
    """Figures of `python -m pointsman.scheduler.measure_start`, each start in its own process."""

    queued: int
    log_events: int
    with_snapshot: dict[str, object]
    without_snapshot: dict[str, object]
    snapshot: dict[str, object]
    simulated: str


async def run_takeover_bench(
    directory: Path, *, queued: int, ended: int, tail: int = TAIL_TASKS, say: Callable[[str], None]
) -> TakeoverReport:
    """Write a log, then start on it with a snapshot and without; raises `CommandError`."""
    say(f"appending {3 * ended + queued} events")
    await _append_all(directory, chain(_registered(), _ended(ended), _queued(queued)))
    say("folding all of it, and taking a snapshot")
    taken = await _start(directory, "--take-snapshot")
    await _append_all(directory, _ended(tail))
    say("starting without a snapshot and with it")
    without = await _start(directory)
    with_snapshot = await _start(directory, "--use-snapshot")
    return {
        "queued": queued,
        "log_events": 4 + 3 * ended + queued + 3 * tail,
        "with_snapshot": with_snapshot,
        "without_snapshot": without,
        "snapshot": {name: taken[name] for name in ("taken_s", "longest_pause_ms", "snapshot_mib")},
        "simulated": SIMULATED,
    }


def start_rows(report: TakeoverReport) -> list[Document]:
    """The two starts as rows of a table."""
    return [
        {"start": "with a snapshot", **report["with_snapshot"]},
        {"start": "without", **report["without_snapshot"]},
    ]


async def _start(directory: Path, *options: str) -> dict[str, object]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pointsman.scheduler.measure_start", str(directory), *options),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        detail = f"the measured start ended with status {process.returncode}"
        raise CommandError(detail, code="bench_failed", exit_code=ExitCode.FAILURE)
    return msgspec.json.decode(output.splitlines()[-1], type=dict[str, object])


_Stream = list[NewEvent]


async def _append_all(directory: Path, streams: Iterable[_Stream]) -> None:
    async with SqliteEventStore(directory / "log.db") as store:
        left = iter(streams)
        while together := list(islice(left, _TOGETHER)):
            answers = await asyncio.gather(
                *(store.append(Append(stream), timeout_s=_TIMEOUT_S) for stream in together)
            )
            if not all(isinstance(answer, Appended) for answer in answers):
                raise TypeError(f"the log refused new streams, which must not happen: {answers}")


def _stream(stream: UUID, *decisions: Decision) -> _Stream:
    return [
        NewEvent(
            uuid_utils.compat.uuid7(),
            stream,
            version,
            _codec.topic(decision),
            _codec.encode(decision),
            decision,
            "default",
        )
        for version, decision in enumerate(decisions, start=1)
    ]


def _registered() -> Iterator[_Stream]:
    for variant in _VARIANTS:
        registered = ModelRegistered(
            at=_AT,
            applied_to=0,
            variant=variant,
            family="summarize",
            quality=0.5,
            memory_mib=64.0,
            load_s=0.5,
            slots=4,
            service_s=0.1,
            service_p99_s=0.4,
            media_type="text/plain",
        )
        yield _stream(stream_id("model", variant), registered)
    attached = DeviceAttached(
        at=_AT,
        applied_to=0,
        pool=_POOL,
        device=_DEVICE,
        executor="executor-1",
        incarnation="first",
        endpoint="grpc://127.0.0.1:8001",
        device_class="cpu",
        slots=4,
        residency=tuple(Residency(variant=variant, slots=4) for variant in _VARIANTS),
    )
    yield _stream(stream_id("device", _DEVICE), attached)


def _queued(count: int) -> Iterator[_Stream]:
    for number in range(count):
        task = uuid_utils.compat.uuid7()
        yield _stream(task, _accepted(task, number))


def _ended(count: int) -> Iterator[_Stream]:
    for number in range(count):
        task = uuid_utils.compat.uuid7()
        accepted = _accepted(task, number)
        yield _stream(task, accepted, _granted(accepted), _completed(task))


def _accepted(task: UUID, number: int) -> TaskAccepted:
    return TaskAccepted(
        at=_AT + number * 0.01,
        applied_to=number,
        pool=_POOL,
        tenant="default",
        family="summarize",
        priority_class=PriorityClass.STANDARD,
        key=_AT + 30 + number * 0.01,
        variants=_VARIANTS,
        payload=_blob(task, "scheduler"),
        message_id=str(uuid_utils.compat.uuid4()),
        source="/pointsman/cli",
        traceparent=f"00-{uuid_utils.compat.uuid4().hex}-{task.hex[:16]}-01",
    )


def _granted(accepted: TaskAccepted) -> TaskGranted:
    candidates = tuple(
        Candidate(device=_DEVICE, variant=variant, score=0.5, memory=0.5, utilisation=0.75)
        for variant in accepted.variants
    )
    return TaskGranted(
        at=accepted.at + 1,
        applied_to=accepted.applied_to,
        attempt=1,
        round=0,
        executor="executor-1",
        incarnation="first",
        device=_DEVICE,
        variant=accepted.variants[0],
        run_timeout_s=5.0,
        explanation=Explanation(
            queued=100,
            rank=1,
            components=KeyComponents(base_s=30.0, boost_s=0.0),
            chosen=candidates[0],
            others=candidates[1:],
        ),
    )


def _completed(task: UUID) -> TaskCompleted:
    return TaskCompleted(
        at=_AT + 2,
        applied_to=1,
        attempt=1,
        device=_DEVICE,
        variant=_VARIANTS[0],
        result=_blob(task, "executor-1"),
        queue_s=1.0,
        run_s=0.1,
    )


def _blob(task: UUID, shard: str) -> BlobRef:
    digest = hashlib.sha256(task.bytes).hexdigest()
    return BlobRef(digest=digest, size=1024, media_type="text/plain", shard=shard)
