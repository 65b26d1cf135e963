"""The leader of a pool: decides on folded state only, records, then acts.

Commands are decided when they arrive; grants are decided in rounds, one round at a time, so that
each round stands on exactly the log that its decisions name. Nothing is sent to an executor and
nothing is answered before the commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from pointsman.contracts.commands import Answer, CancelTask, Done, PrepareTask, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskGranted
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Lease,
    Renewal,
    ReportAnswer,
)
from pointsman.eventstore.ports import Appended, LogUnavailableError, VersionConflict
from pointsman.runtime.clock import Clock
from pointsman.scheduler import telemetry
from pointsman.scheduler.domain.attachment import (
    decide_absent,
    decide_attach,
    decide_health,
    decide_return,
)
from pointsman.scheduler.domain.attempts import decide_cancel, decide_lost, decide_report
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.granting import decide_round
from pointsman.scheduler.domain.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.preparation import decide_prepare
from pointsman.scheduler.domain.tasks import LiveLease
from pointsman.scheduler.leading.decision_log import DecisionLog, FencedError
from pointsman.scheduler.leading.dispatch import Dispatch
from pointsman.scheduler.ports import Draws

_CHECK_LEASES_S: Final = 1.0
_LOG_RETRY_S: Final = 0.5
_TRIES: Final = 8
"""A decision that lost a race is made again on the newer state; races are with single commands, so
a handful of tries is plenty and a bound keeps a defect from spinning."""

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
        self._dispatch = dispatch
        self._clocks = clocks
        self._clock = clock
        self._draws = draws
        self._changed = asyncio.Event()
        # Decisions about devices share streams; one after the other they never conflict.
        self._devices = asyncio.Lock()

    def wake(self) -> None:
        """Something was folded: look whether more can be decided."""
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
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._rounds())
                tasks.create_task(self._watch_leases())
        except BaseExceptionGroup as errors:
            fenced = errors.subgroup(FencedError)
            if fenced is None:
                raise
            raise fenced.exceptions[0] from None

    async def _rounds(self) -> None:
        while True:
            await self._something_changed()
            decided = decide_round(self.pool, at=self._clock.wall())
            if not decided:
                continue
            try:
                await self._record_round(decided)
            except LogUnavailableError as error:
                _log.warning("round_not_recorded", code=error.code, detail=str(error))
                self._clocks.pause("log")
                await asyncio.sleep(_LOG_RETRY_S)
                self._clocks.resume("log", now=self._clock.monotonic())
            # Whatever the round could not do may be possible now.
            self._changed.set()

    async def _record_round(self, decided: Sequence[Decided]) -> None:
        answers = await self._log.record_all(decided)
        for item, answer in zip(decided, answers, strict=True):
            event = item.events[0]
            if isinstance(answer, Appended):
                telemetry.DECISIONS.add(1, {"pointsman.event": type(event).__name__})
                if isinstance(event, TaskGranted):
                    self._dispatch.grant(item.stream)

    async def _something_changed(self) -> None:
        due = self.pool.next_due(self._clock.wall())
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
        leases: list[LiveLease | None] = []

        def decide() -> list[Decided]:
            task = self.pool.tasks.get(command.task)
            leases.append(task.lease if task is not None else None)
            decided = decide_cancel(self.pool, command, at=self._clock.wall())
            return [decided] if decided is not None else []

        ended = await self._settle(decide)
        if not ended:
            return Done(detail="the task had ended already, or never existed")
        lease = leases[-1]
        if lease is not None:
            self._dispatch.cancel(lease.executor, Lease(task=command.task, attempt=lease.attempt))
        return Done(detail="cancelled")

    async def report(self, report: AttemptReport) -> ReportAnswer:
        """Record how an attempt ended; a report that changes nothing is settled."""
        self._clocks.heard(report.executor, now=self._clock.monotonic())
        draw = self._draws.uniform()

        def decide() -> list[Decided]:
            decided = decide_report(self.pool, report, at=self._clock.wall(), draw=draw)
            return [decided] if decided is not None else []

        try:
            if self._is_live(report.task, report.attempt):
                recorded = await self._settle(decide)
            else:
                async with self._devices:
                    recorded = await self._settle(decide)
        except LogUnavailableError:
            status = "unavailable"
        else:
            status = "recorded" if recorded else "settled"
        return ReportAnswer(task=report.task, attempt=report.attempt, status=status)

    async def prepare(self, command: PrepareTask) -> Answer:
        """Give a waiting task its context or a cached result."""
        refused = decide_prepare(self.pool, command, at=self._clock.wall())
        if isinstance(refused, Rejected):
            return refused

        def decide() -> list[Decided]:
            decided = decide_prepare(self.pool, command, at=self._clock.wall())
            return [decided] if isinstance(decided, Decided) else []

        prepared = await self._settle(decide)
        return Done(detail="prepared" if prepared else "the task waits for nothing any more")

    async def attach(self, command: AttachExecutor) -> Answer:
        """Take an executor's devices."""
        self._clocks.heard(command.executor, now=self._clock.monotonic())
        async with self._devices:
            changed = await self._settle(
                lambda: decide_attach(self.pool, command, at=self._clock.wall())
            )
        return Done(detail="attached" if changed else "attached already")

    async def health(self, command: DeviceHealth) -> Answer:
        """Suspend or resume a device."""

        def decide() -> list[Decided]:
            decided = decide_health(self.pool, command, at=self._clock.wall())
            return [decided] if decided is not None else []

        async with self._devices:
            changed = await self._settle(decide)
        return Done(detail="recorded" if changed else "nothing changed")

    async def renewed(self, renewal: Renewal) -> None:
        """Note who lives; bring holders in step with the log.

        A lease that should have arrived but is not listed is granted again, and lost after a
        lease's life: its holder refuses it. One that has ended in the log is cancelled.
        """
        self._clocks.renewed(renewal, now=self._clock.monotonic())
        await self._welcome_back(renewal)
        for task_id, age_s in self._not_listed(renewal):
            if self._clocks.unlisted_too_long(age_s, now=self._clock.monotonic()):
                await self._lose_lease(task_id)
            elif self._clocks.resend_due(age_s):
                self._dispatch.grant(task_id)
        for held in renewal.leases:
            if not self._is_live(held.task, held.attempt):
                self._dispatch.cancel(renewal.executor, held)

    # -- inside ------------------------------------------------------------------------------

    async def _settle(self, decide: Callable[[], list[Decided]]) -> bool:
        """Decide and record until no race is lost; whether anything was recorded."""
        recorded = False
        for _ in range(_TRIES):
            decided = decide()
            if not decided:
                break
            answers = await self._log.record_all(decided)
            recorded = recorded or any(isinstance(answer, Appended) for answer in answers)
            if not any(isinstance(answer, VersionConflict) for answer in answers):
                break
        else:
            detail = "a decision lost too many races"
            raise LogUnavailableError(detail)
        return recorded

    def _is_live(self, task_id: UUID, attempt: int) -> bool:
        task = self.pool.tasks.get(task_id)
        return task is not None and task.lease is not None and task.lease.attempt == attempt

    async def _welcome_back(self, renewal: Renewal) -> None:
        if any(
            device.status is DeviceStatus.DETACHED
            and device.offer.incarnation == renewal.incarnation
            for device in self.pool.devices.values()
        ):
            async with self._devices:
                await self._settle(
                    lambda: decide_return(
                        self.pool, renewal.executor, renewal.incarnation, at=self._clock.wall()
                    )
                )

    async def _watch_leases(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_LEASES_S)
            for executor in self._clocks.absent(self.pool.executors(), now=self._clock.monotonic()):
                _log.warning("executor_absent", executor=executor)
                try:
                    await self._lose(executor)
                except LogUnavailableError as error:
                    _log.warning("absence_not_recorded", code=error.code, detail=str(error))

    def _not_listed(self, renewal: Renewal) -> list[tuple[UUID, float]]:
        now = self._clock.wall()
        holder = (renewal.executor, renewal.incarnation)
        return [
            (task.id, now - task.lease.granted_at)
            for task in self.pool.leased()
            if task.lease is not None
            and (task.lease.executor, task.lease.incarnation) == holder
            and not self._clocks.holds(renewal.executor, task.id, task.lease.attempt)
        ]

    async def _lose_lease(self, task_id: UUID) -> None:
        def decide() -> list[Decided]:
            lost = decide_lost(self.pool, task_id, "lease_expired", at=self._clock.wall())
            return [lost] if lost is not None else []

        await self._settle(decide)

    async def _lose(self, executor: str) -> None:
        async with self._devices:
            await self._settle(lambda: decide_absent(self.pool, executor, at=self._clock.wall()))
