"""An engine and a leader that do what a test tells them, and builders of orders."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.events import DeviceMode, Residency
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Grant,
    Lease,
    LeaseOrder,
    LeaseReceipt,
    Outcome,
    Renewal,
    ResidencyReport,
)
from pointsman.contracts.message import BlobRef
from pointsman.contracts.token_streams import StreamPart
from pointsman.executor.holding.devices import Device, DeviceTerms
from pointsman.executor.holding.leases import LeaseHolder
from pointsman.executor.ports import (
    Call,
    Engine,
    EngineError,
    Identity,
    Leader,
    OnPiece,
    Output,
    Piece,
    Placement,
    Streams,
)
from pointsman.runtime.blobs import Blobs
from pointsman.testing.memory_blobs import MemoryBlobs

IDENTITY = Identity(executor="executor-1", pool="main", incarnation="incarnation-1")
ABSENT = BlobRef(digest="0" * 64, size=5, media_type="text/plain", shard="memory")
LOST = EngineError("engine_unavailable", "connection refused", retryable=True, device_lost=True)


class FakeEngine:
    """Gives payloads back, after `pieces`; with `hold` when `release` is called, else at once."""

    def __init__(self, *, hold: bool = False) -> None:
        self.device_class = "noop"
        self.residency = (Residency(variant="echo", slots=8),)
        self.loadable: tuple[Residency, ...] = tuple(
            Residency(variant=name, slots=8) for name in ("echo", "other", "third")
        )
        self.load_failure: EngineError | None = None
        self.changes: list[str] = []  # loads and unloads, as they began
        self.refreshed = 0
        self.found: tuple[Residency, ...] | None = None  # by a look at it; None: what it had
        self.failure: EngineError | None = None
        self.canary_failure: EngineError | None = None
        self.pieces: list[Piece] = []
        self.promised_heartbeat_s = 0.0
        self.quiet = True
        self.calls: list[Call] = []
        self.batches: list[Sequence[Call]] = []  # that came as one; its first call names each
        self.cancelled: list[str] = []
        self.canaries = 0
        self._open = asyncio.Event()
        if not hold:
            self._open.set()

    def release(self) -> None:
        self._open.set()

    async def open(self) -> None:
        """Ready at once."""

    def heartbeat_s(self, variant: str) -> float:
        return self.promised_heartbeat_s

    async def refresh(self) -> None:
        self.refreshed += 1
        self.residency = self.residency if self.found is None else self.found

    async def load(self, variant: str, *, placement: Placement, timeout_s: float) -> None:
        at = ",".join(map(str, placement.gpus))
        self.changes.append(f"load {variant} {at}".strip())
        await self._open.wait()
        if self.load_failure is not None:
            raise self.load_failure
        self.residency += tuple(each for each in self.loadable if each.variant == variant)

    async def unload(self, variant: str, *, timeout_s: float) -> None:
        self.changes.append(f"unload {variant}")
        self.residency = tuple(each for each in self.residency if each.variant != variant)

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        self.calls.append(call)
        try:
            for piece in self.pieces:
                assert on_piece is not None
                on_piece(piece)
            await self._open.wait()
        except asyncio.CancelledError:
            self.cancelled.append(call.id)
            raise
        if self.failure is not None:
            raise self.failure
        return Output(data=call.payload, model_version="1")

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
        self.batches.append(calls)
        await self.infer(calls[0])
        return [Output(data=call.payload, model_version="1") for call in calls]

    async def canary(self) -> None:
        self.canaries += 1
        if self.canary_failure is not None:
            raise self.canary_failure

    async def quiescent(self) -> bool:
        return self.quiet

    async def close(self) -> None:
        """Holds nothing."""


class MemoryLeader:
    """Keeps what it is told; with `silent` it answers only after `answer` was called."""

    def __init__(self, *, silent: bool = False) -> None:
        self.attached: list[AttachExecutor] = []
        self.reports: list[AttemptReport] = []
        self.healths: list[DeviceHealth] = []
        self.renewals: list[Renewal] = []
        self.changes: list[ResidencyReport] = []
        self.checkpoints: list[CheckpointReport] = []
        self.unanswered: list[Lease] = []
        self._answering = asyncio.Event()
        if not silent:
            self._answering.set()

    def answer(self) -> None:
        self._answering.set()

    async def attach(self, attach: AttachExecutor) -> None:
        self.attached.append(attach)
        await self._answering.wait()

    async def checkpoint(self, report: CheckpointReport) -> None:
        self.checkpoints.append(report)
        await self._answering.wait()

    async def report(self, report: AttemptReport) -> None:
        lease = Lease(task=report.task, attempt=report.attempt)
        assert lease not in self.unanswered, "two reports of one attempt are on the way"
        self.reports.append(report)
        self.unanswered.append(lease)
        await self._answering.wait()
        self.unanswered.remove(lease)

    async def residency(self, report: ResidencyReport) -> None:
        self.changes.append(report)
        await self._answering.wait()

    async def health(self, health: DeviceHealth) -> None:
        self.healths.append(health)
        await self._answering.wait()

    async def renew(self, renewal: Renewal) -> None:
        self.renewals.append(renewal)

    def outcomes(self) -> list[Outcome]:
        return [report.outcome for report in self.reports]


class MemoryStreams:
    """Implements `ports.Streams`: keeps the parts that `listening` somebody hears."""

    def __init__(self, *, listening: bool = True) -> None:
        self.listening = listening
        self.sent = 0
        self.parts: list[StreamPart] = []
        self.unheard: set[tuple[UUID, int]] = set()

    async def publish(self, part: StreamPart) -> None:
        self.sent += 1
        key = (part.task, part.attempt)
        if self.listening:
            self.parts.append(part)
            self.unheard.discard(key)
        else:
            self.unheard.add(key)

    def heard(self, task: UUID, attempt: int) -> bool:
        return (task, attempt) not in self.unheard

    def forget(self, task: UUID, attempt: int) -> None:
        self.unheard.discard((task, attempt))

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


def device(
    engine: Engine,
    leader: Leader,
    *,
    name: str = "cpu-0",
    mode: DeviceMode = DeviceMode.FIXED,
    gpu: int | None = None,
    canary_every_s: float = 60.0,
) -> Device:
    return Device(
        name,
        endpoint="fake:",
        terms=DeviceTerms(slots=8, mode=mode, memory_mib=1000.0, gpu=gpu),
        engine=engine,
        leader=leader,
        identity=IDENTITY,
        canary_every_s=canary_every_s,
    )


def holder(
    engine: Engine,
    leader: Leader,
    blobs: Blobs | None = None,
    clock: Callable[[], float] = lambda: 0.0,
    streams: Streams | None = None,
    cpu: Device | None = None,
) -> LeaseHolder:
    return LeaseHolder(
        IDENTITY,
        [cpu or device(engine, leader)],
        blobs=blobs or MemoryBlobs(),
        leader=leader,
        streams=streams or MemoryStreams(),
        clock=clock,
    )


def task_id(number: int) -> UUID:
    return UUID(int=number)


def grant(  # noqa: PLR0913 - a builder has one argument per fact
    payload: BlobRef,
    *,
    task: int = 1,
    attempt: int = 1,
    device: str = "cpu-0",
    variant: str = "echo",
    parameters: dict[str, str] | None = None,
    run_timeout_s: float = 30.0,
    batch: str = "",
    checkpoint: BlobRef | None = None,
) -> Grant:
    return Grant(
        task=task_id(task),
        attempt=attempt,
        tenant="acme",
        device=device,
        variant=variant,
        payload=payload,
        media_type="text/plain",
        run_timeout_s=run_timeout_s,
        parameters=parameters,
        batch=batch,
        checkpoint=checkpoint,
    )


def order(
    *grants: Grant, cancels: tuple[Lease, ...] = (), epoch: int = 1, incarnation: str = ""
) -> LeaseOrder:
    return LeaseOrder("main", epoch, grants, cancels, incarnation=incarnation)


def lease(task: int = 1, attempt: int = 1) -> Lease:
    return Lease(task=task_id(task), attempt=attempt)


async def stored(blobs: MemoryBlobs, data: bytes = b"hello") -> BlobRef:
    return await blobs.put("acme", data, "text/plain")


def reported(leader: MemoryLeader, count: int = 1) -> Callable[[], bool]:
    return lambda: len(leader.reports) >= count and not leader.unanswered


def receipt(*held: Lease, stale_epoch: bool = False) -> LeaseReceipt:
    return LeaseReceipt(
        executor=IDENTITY.executor,
        incarnation=IDENTITY.incarnation,
        held=held,
        stale_epoch=stale_epoch,
    )
