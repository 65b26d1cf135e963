"""The leader of a pool: decides on folded state only, records, then acts.

Commands are decided when they arrive; grants are decided in rounds, one round at a time, so that
each round stands on exactly the log that its decisions name. Nothing is sent to an executor and
nothing is answered before the commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Final
from uuid import UUID

import structlog

from pointsman.contracts.commands import Answer, CancelTask, Done, PrepareTask, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.events import PartsGranted, ResidencyGranted, TaskGranted, TaskHedged
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Renewal,
    ReportAnswer,
    ResidencyReport,
)
from pointsman.contracts.streams import stream_id
from pointsman.eventstore.ports import Appended, LogUnavailableError
from pointsman.runtime.clock import Clock
from pointsman.runtime.crashpoints import CrashPoint, crashpoint
from pointsman.scheduler import telemetry
from pointsman.scheduler.domain.admission.preparation import decide_prepare
from pointsman.scheduler.domain.attachment import decide_attach, decide_health
from pointsman.scheduler.domain.attempts.checkpoints import decide_checkpoint
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.ends import decide_residency_report
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.tasks import LiveLease
from pointsman.scheduler.leading.bulks import Bulks
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.dispatch import Dispatch
from pointsman.scheduler.leading.lead import FencedError
from pointsman.scheduler.leading.lease_watch import LeaseWatch
from pointsman.scheduler.leading.settling import Settling
from pointsman.scheduler.ports import Draws

_LOG_RETRY_S: Final = 0.5
_FINAL: Final = ("recorded", "settled")

_log = structlog.get_logger(__name__)


class PoolLeader:
    """One pool's decisions. All methods run on one event loop."""

    def __init__(
        self,
        pool: Pool,
        log: DecisionLog,
        dispatch: Dispatch,
        clocks: LeaseClocks,
        clock: Clock,
        draws: Draws,
    ) -> None:
        self.pool = pool
        self._log = log
        self._lead = log.lead
        self._dispatch = dispatch
        self._clocks = clocks
        self._clock = clock
        self._draws = draws
        self._changed = asyncio.Event()
        self._looked_at = inf
        self._changed.set()  # a predecessor may have left tasks that wait for nothing else
        self._settling = Settling(log)
        self.bulks = Bulks(pool, self._settling, dispatch, clock)
        self._leases = LeaseWatch(pool, self._settling, dispatch, clocks, clock)

    def wake(self) -> None:
        """Something was folded: look whether more can be decided, and whether still by this one."""
        if self.pool.epoch > self._lead.leadership.epoch:
            self._lead.fenced(self.pool.epoch)
        self._changed.set()

    def connection_changed(self, *, connected: bool) -> None:
        """The bus went away or came back; lease clocks stand still meanwhile."""
        if connected:
            self._clocks.resume("bus", now=self._clock.monotonic())
        else:
            self._clocks.pause("bus")

    # -- rounds ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Decide until cancelled; raises `FencedError` when another leader has taken over."""
        self._dispatch.introduce(self.pool.executors())
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._rounds())
                tasks.create_task(self._leases.run())
        except BaseExceptionGroup as errors:
            fenced = errors.subgroup(FencedError)
            if fenced is None:
                raise
            raise fenced.exceptions[0] from None

    async def _rounds(self) -> None:
        while True:
            await self._something_changed()
            if not self._lead.certain:
                # What could be granted meanwhile is found when it is certain again, or over.
                await asyncio.sleep(_LOG_RETRY_S)
                self._changed.set()
                continue
            self._looked_at = self._clock.wall()
            decided = decide_round(self.pool, at=self._looked_at)
            if not decided:
                continue
            try:
                await self._record_round(decided)
            except LogUnavailableError as error:
                _log.warning("round_not_recorded", code=error.code, detail=str(error))
                await asyncio.sleep(_LOG_RETRY_S)
            # Whatever the round could not do may be possible now.
            self._changed.set()

    async def _record_round(self, decided: Sequence[Decided]) -> None:
        open_before = ((item.stream, self.pool.tasks.get(item.stream)) for item in decided)
        held = {stream: task.leases for stream, task in open_before if task}
        crashpoint(CrashPoint.BEFORE_APPEND_GRANTED)
        answers = await self._log.record_all(decided)
        crashpoint(CrashPoint.AFTER_APPEND_GRANTED)
        for item, answer in zip(decided, answers, strict=True):
            event = item.events[0]
            if isinstance(answer, Appended):
                telemetry.DECISIONS.add(1, {"pointsman.event": type(event).__name__})
                if isinstance(event, TaskGranted | PartsGranted | TaskHedged):
                    self._dispatch.grant(item.stream, event.attempt)
                elif isinstance(event, ResidencyGranted):
                    self._dispatch.change(event.device)
                elif item.stream not in self.pool.tasks:
                    # What nobody needs any more is stopped; nothing else ends a running task here.
                    self._dispatch.cancel_all(item.stream, held.get(item.stream, ()))

    async def _something_changed(self) -> None:
        # What has become due since the last look has not been looked at.
        due = self.pool.next_due(min(self._looked_at, self._clock.wall()))
        loop = asyncio.get_running_loop()
        timer = None
        if due is not None:
            timer = loop.call_later(max(0.0, due - self._clock.wall()), self._changed.set)
        await self._changed.wait()
        self._changed.clear()
        if timer is not None:
            timer.cancel()

    # -- commands ----------------------------------------------------------------------------

    async def cancel(self, command: CancelTask) -> Answer:
        """End a task; a running call is stopped at its holder."""
        await self._lead.give_way()
        leases: tuple[LiveLease, ...] = ()

        def decide() -> Decided | None:
            nonlocal leases
            task = self.pool.tasks.get(command.task)
            leases = task.leases if task is not None else leases
            return decide_cancel(self.pool, command, at=self._clock.wall())

        ended = await self._settling.settle_one(decide)
        if not ended:
            return Done(detail="the task had ended already, or never existed")
        self._dispatch.cancel_all(command.task, leases)
        return Done(detail="cancelled")

    async def report(self, report: AttemptReport) -> ReportAnswer:
        """Record how an attempt ended; a report that changes nothing is settled."""
        self._clocks.heard(report.executor, now=self._clock.monotonic())
        await self._lead.give_way()
        draw = self._draws.uniform()
        leases: tuple[LiveLease, ...] = ()

        def decide() -> Decided | None:
            nonlocal leases
            task = self.pool.tasks.get(report.task)
            leases = task.leases if task is not None else leases
            return decide_report(self.pool, report, at=self._clock.wall(), draw=draw)

        crashpoint(CrashPoint.BEFORE_APPEND_COMPLETED)
        if self._is_live(report.task, report.attempt):
            status = await self._settled(decide)
        else:
            async with self._settling.devices:
                status = await self._settled(decide)
        if status in _FINAL:
            crashpoint(CrashPoint.AFTER_APPEND_COMPLETED)
            if report.task not in self.pool.tasks:
                # Of two attempts the other has lost; its slot is free when its call has ended.
                self._dispatch.cancel_all(report.task, leases, besides=report.attempt)
        return ReportAnswer(task=report.task, attempt=report.attempt, status=status)

    async def checkpoint(self, report: CheckpointReport) -> ReportAnswer:
        """Record where an attempt stands; what is of no use any more is settled."""
        self._clocks.heard(report.executor, now=self._clock.monotonic())
        await self._lead.give_way()
        status = await self._settled(
            lambda: decide_checkpoint(self.pool, report, at=self._clock.wall())
        )
        return ReportAnswer(task=report.task, attempt=report.attempt, status=status)

    async def residency(self, report: ResidencyReport) -> ReportAnswer:
        """Record how a change of residency ended; a report that changes nothing is settled."""
        self._clocks.heard(report.executor, now=self._clock.monotonic())
        await self._lead.give_way()
        async with self._settling.devices:
            status = await self._settled(
                lambda: decide_residency_report(self.pool, report, at=self._clock.wall())
            )
        return ReportAnswer(
            task=stream_id("device", report.device), attempt=report.generation, status=status
        )

    async def prepare(self, command: PrepareTask) -> Answer:
        """Give a waiting task its context or a cached result."""
        await self._lead.give_way()
        self._lead.require()
        refused = decide_prepare(self.pool, command, at=self._clock.wall())
        if isinstance(refused, Rejected):
            return refused

        def decide() -> Decided | None:
            decided = decide_prepare(self.pool, command, at=self._clock.wall())
            return decided if isinstance(decided, Decided) else None

        prepared = await self._settling.settle_one(decide)
        return Done(detail="prepared" if prepared else "the task waits for nothing any more")

    async def attach(self, command: AttachExecutor) -> Answer:
        """Take an executor's devices."""
        self._clocks.heard(command.executor, now=self._clock.monotonic())
        await self._lead.give_way()
        async with self._settling.devices:
            changed = await self._settling.settle(
                lambda: decide_attach(self.pool, command, at=self._clock.wall())
            )
        return Done(detail="attached" if changed else "attached already")

    async def health(self, command: DeviceHealth) -> Answer:
        """Suspend or resume a device."""
        await self._lead.give_way()
        async with self._settling.devices:
            changed = await self._settling.settle_one(
                lambda: decide_health(self.pool, command, at=self._clock.wall())
            )
        return Done(detail="recorded" if changed else "nothing changed")

    async def renewed(self, renewal: Renewal) -> None:
        """Note who lives; bring holders in step with the log."""
        await self._leases.renewed(renewal)

    async def _settled(self, decide: Callable[[], Decided | None]) -> str:
        """What whoever repeats a report until it is answered has to know."""
        try:
            recorded = await self._settling.settle_one(decide)
        except FencedError:
            return "not_leader"
        except LogUnavailableError:
            return "unavailable"
        return "recorded" if recorded else "settled"

    def _is_live(self, task_id: UUID, attempt: int) -> bool:
        task = self.pool.tasks.get(task_id)
        return task is not None and task.lease_of(attempt) is not None
