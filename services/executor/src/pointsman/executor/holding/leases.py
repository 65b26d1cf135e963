"""The holder of leases: takes orders, runs what is granted, reports each end until answered."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

import structlog

from pointsman.contracts.endurance import AttemptProgress
from pointsman.contracts.leases import (
    AttemptReport,
    Grant,
    Lease,
    LeaseOrder,
    LeaseReceipt,
    Outcome,
    RunCancelled,
    RunCompleted,
    RunFailed,
)
from pointsman.executor import telemetry
from pointsman.executor.holding.checkpoints import Checkpoints, earlier_checkpoint
from pointsman.executor.holding.devices import Device
from pointsman.executor.holding.life_signs import LifeSigns
from pointsman.executor.holding.outcomes import attributes_of, outcome_of
from pointsman.executor.holding.parts import PartsDesk, is_parts_work
from pointsman.executor.holding.residency import ResidencyChanges
from pointsman.executor.holding.runs import REPORT_GRACE_S, Key, Runs, Taken
from pointsman.executor.holding.shared_calls import Runner, Seat, SharedCall
from pointsman.executor.holding.token_streams import TokenStream
from pointsman.executor.ports import Call, Identity, Leader, OnPiece, Streams
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import Blobs
from pointsman.runtime.crashpoints import CrashPoint, crashpoint

Company = defaultdict[str, list[tuple[Grant, Device]]]
"""Grants that came with one order, by batch."""

_log = structlog.get_logger(__name__)


class LeaseHolder:
    """Runs attempts on `devices`; every attempt that is taken ends in exactly one outcome."""

    def __init__(
        self,
        identity: Identity,
        devices: Iterable[Device],
        *,
        blobs: Blobs,
        leader: Leader,
        streams: Streams,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._devices: Mapping[str, Device] = {device.name: device for device in devices}
        self._blobs = blobs
        self._leader = leader
        self._streams = streams
        self._desk = PartsDesk(blobs)
        self._clock = clock
        self._runs: Runs[AttemptReport] = Runs()
        self.changes = ResidencyChanges(identity, self._devices, leader=leader, clock=clock)
        self._signs: dict[Key, LifeSigns] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._draining = False

    def take(self, order: LeaseOrder) -> LeaseReceipt:
        """Start what is granted and stop what is cancelled; returns before any of it has run."""
        stale = not self._runs.admits(order.epoch)
        held: list[Lease] = []
        # An order is sent until somebody answers: it may be for one of this name that is gone.
        if not stale and order.incarnation in ("", self._identity.incarnation):
            for lease in order.cancels:
                self._runs.cancel(lease)
            company: Company = defaultdict(list)
            held += [
                Lease(task=grant.task, attempt=grant.attempt)
                for grant in order.grants
                if self._take(grant, company)
            ]
            self._start_shared(company)
            held += self.changes.take(order.residency)
        return LeaseReceipt(
            executor=self._identity.executor,
            incarnation=self._identity.incarnation,
            held=tuple(held),
            stale_epoch=stale,
        )

    def leases(self) -> tuple[Lease, ...]:
        """What has to be renewed."""
        return (*self._runs.leases(), *self.changes.leases())

    def progress(self) -> tuple[AttemptProgress, ...]:
        """How far running attempts are, of those whose models say it."""
        told = (signs.progress for signs in self._signs.values())
        return tuple(progress for progress in told if progress is not None)

    async def drain(self, grace_s: float) -> None:
        """Take nothing more, let calls end within `grace_s`, stop the rest, report what ended."""
        self._draining = True
        if self._runs.running:
            _log.info("draining", running=self._runs.running, grace_s=grace_s)
            self._idle.clear()
            try:
                async with asyncio.timeout(grace_s):
                    await self._idle.wait()
            except TimeoutError:
                self._runs.stop_all()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=REPORT_GRACE_S)
        for task in self._tasks:
            task.cancel()

    def _take(self, grant: Grant, company: Company) -> bool:
        device = self._devices.get(grant.device)
        if not self._runs.holds(grant):
            refusal = self._refusal(grant, device)
            if refusal:
                telemetry.GRANTS_REFUSED.add(1, {"error.type": refusal})
                return False
        if device is None and not is_parts_work(grant):
            return False
        match self._runs.take(grant):
            case Taken.RUN:
                self._begin(grant, device, company)
            case Taken.STOP:
                self._start(self._end(grant, RunCancelled()))
            case Taken.REPORT:
                self._start(self._report(self._runs.report_of(grant)))
            case Taken.KNOWN:
                pass
        return True

    def _begin(self, grant: Grant, device: Device | None, company: Company) -> None:
        if device is None:
            self._start(self._work(grant))
        elif grant.batch:
            company[grant.batch].append((grant, device))
        else:
            self._start(self._run(grant, device, device))

    def _start_shared(self, company: Company) -> None:
        """Those of one batch that came together make one call."""
        for members in company.values():
            call = SharedCall(members[0][1], len(members))
            for grant, device in members:
                self._start(self._run(grant, device, Seat(call)))

    def _refusal(self, grant: Grant, device: Device | None) -> str:
        if self._draining:
            return "draining"
        if is_parts_work(grant):
            return ""
        if device is None:
            return "unknown_device"
        # The leader has not heard yet that it is lost; running there would only burn an attempt.
        return "" if device.serving else "device_lost"

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, grant: Grant, device: Device, runner: Runner) -> None:
        telemetry.RUNNING.add(1)
        key = (grant.task, grant.attempt)
        signs = self._signs[key] = self._signs_of(grant)
        try:
            outcome = await self._called(grant, device, runner, signs)
            self._runs.past_stopping(key)
            outcome = await signs.end(outcome)
        finally:
            signs.close()
            del self._signs[key]
            telemetry.RUNNING.add(-1)
        await self._end(grant, outcome, device)

    async def _work(self, grant: Grant) -> None:
        """Cut an input or merge results, which takes no device."""
        telemetry.RUNNING.add(1)
        try:
            outcome = await self._outcome(grant, lambda: self._desk.work(grant))
        finally:
            telemetry.RUNNING.add(-1)
        await self._end(grant, outcome)

    async def _called(
        self, grant: Grant, device: Device, runner: Runner, signs: LifeSigns
    ) -> Outcome:
        try:
            with device.occupied(grant.variant):
                return await self._outcome(
                    grant, lambda: self._completed(grant, runner, signs.take)
                )
        finally:
            if isinstance(runner, Seat):
                runner.give_up()

    def _signs_of(self, grant: Grant) -> LifeSigns:
        lease = Lease(task=grant.task, attempt=grant.attempt)
        checkpoints = Checkpoints(self._identity, grant, blobs=self._blobs, leader=self._leader)
        return LifeSigns(lease, TokenStream(lease, self._streams), checkpoints, self._clock)

    async def _end(self, grant: Grant, outcome: Outcome, device: Device | None = None) -> None:
        report = AttemptReport(
            executor=self._identity.executor,
            incarnation=self._identity.incarnation,
            device=grant.device,
            task=grant.task,
            attempt=grant.attempt,
            outcome=outcome,
        )
        self._runs.ended(report)
        if not self._runs.running:
            self._idle.set()
        telemetry.ATTEMPTS.add(1, attributes_of(report))
        if device is not None and isinstance(outcome, RunFailed) and outcome.device_lost:
            await device.lose(outcome.message)
        await self._report(report)

    async def _report(self, report: AttemptReport) -> None:
        crashpoint(CrashPoint.BEFORE_REPORT_SENT)
        await self._leader.report(report)
        crashpoint(CrashPoint.AFTER_REPORT_SENT)
        self._runs.answered((report.task, report.attempt))

    async def _outcome(self, grant: Grant, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        key = (grant.task, grant.attempt)
        began, task = self._clock(), asyncio.current_task()
        if task is not None and not self._runs.stoppable(key, task.cancel):
            return RunCancelled()
        try:
            return await work()
        except asyncio.CancelledError:
            if task is None or not (self._draining or self._runs.stopped(key)):
                raise
            # The cancellation was ours and has reached the engine; the report is still to be sent.
            task.uncancel()
            # Stopped by order or with this executor: either way the slot is free and nobody failed.
            return RunCancelled()
        except Exception as error:  # noqa: BLE001 - the leader waits for the end of this attempt
            return outcome_of(error, grant, run_s=self._clock() - began)

    async def _completed(self, grant: Grant, runner: Runner, on_piece: OnPiece) -> Outcome:
        payload = await self._blobs.get(grant.tenant, grant.payload)
        checkpoint = await earlier_checkpoint(self._blobs, grant)
        began = self._clock()
        crashpoint(CrashPoint.BEFORE_ENGINE_CALL)
        output = await runner.infer(
            Call(
                id=str(grant.task),
                variant=grant.variant,
                payload=payload,
                media_type=grant.payload.media_type,
                timeout_s=grant.run_timeout_s,
                parameters=grant.parameters,
                traceparent=grant.traceparent,
                checkpoint=checkpoint,
            ),
            on_piece,
        )
        crashpoint(CrashPoint.AFTER_ENGINE_CALL)
        run_s = self._clock() - began
        self._runs.past_stopping((grant.task, grant.attempt))
        telemetry.RUN_TIME.record(run_s, {"pointsman.model": grant.variant})
        crashpoint(CrashPoint.BEFORE_RESULT_STORED)
        result = await self._blobs.put(
            grant.tenant,
            output.data,
            output.media_type or grant.media_type,
            BlobKind.KEPT if grant.keep_result else BlobKind.RESULT,
        )
        crashpoint(CrashPoint.AFTER_RESULT_STORED)
        return RunCompleted(result=result, run_s=run_s, model_version=output.model_version)
