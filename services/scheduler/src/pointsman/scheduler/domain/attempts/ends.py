"""What follows from the end of an attempt, from a lost holder, and from a cancellation."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from pointsman.contracts.commands import CancelTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    AttemptFailed,
    AttemptLost,
    AttemptTimedOut,
    Decision,
    SlotReleased,
    SplitPlanned,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
)
from pointsman.contracts.events.attempt_ends import (
    BATCH_FAILED,
    DEVICE_UNAVAILABLE,
    EXECUTOR_CANCELLED,
    OUT_OF_MEMORY,
    RUN_TIMEOUT,
)
from pointsman.contracts.leases import (
    AttemptReport,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunSplit,
    RunTimedOut,
)
from pointsman.contracts.streams import stream_id
from pointsman.policy.timing import retry_delay_s
from pointsman.scheduler.domain.admission.oversize import plan_for_less_memory
from pointsman.scheduler.domain.attempts.dropping import drop_lost, drop_reported, ran_nothing_else
from pointsman.scheduler.domain.parts.work import decide_merged, decide_split
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import CALL_ENDED, LiveLease, OpenTask

MAX_LOST: Final = 5
"""Lost attempts are nobody's failure and do not count as tries, but a task that takes its holder
down each time must not go on for ever."""

MAX_CRASHES: Final = 2
"""A device that stops answering while it runs one task alone says something about that task; unless
the task had told since the last time where it stands."""

_RunOutcome = RunCompleted | RunFailed | RunTimedOut | RunCancelled

QUARANTINED: Final = "quarantined"


def decide_report(pool: Pool, report: AttemptReport, *, at: float, draw: float) -> Decided | None:
    """The events that follow from a report; None if it is settled already.

    A report of another attempt than the live one, or of an ended task, changes nothing but the
    slot that it frees. `draw` is uniform in [0, 1).
    """
    task = pool.tasks.get(report.task)
    lease = task.lease_of(report.attempt) if task is not None else None
    if task is None or lease is None or _holder(lease) != _reporter(report):
        return _release(pool, report, at)
    if isinstance(report.outcome, RunSplit):
        return decide_split(pool, task, report.outcome, at=at)
    if task.hedge is not None and not isinstance(report.outcome, RunCompleted):
        dropped = drop_reported(pool, task, lease, report.outcome, at=at)
        return Decided(task.id, task.version, (dropped,), task.tenant)
    ended = _Ended(pool, task, lease, at=at, draw=draw)
    return Decided(task.id, task.version, ended.after(report.outcome), task.tenant)


def _holder(lease: LiveLease) -> tuple[int, str, str]:
    return lease.attempt, lease.incarnation, lease.device


def _reporter(report: AttemptReport) -> tuple[int, str, str]:
    return report.attempt, report.incarnation, report.device


def _release(pool: Pool, report: AttemptReport, at: float) -> Decided | None:
    device = pool.devices.get(report.device)
    if device is None or (report.task, report.attempt) not in device.suspect:
        return None
    # An engine that did not answer may still be working on the call.
    if isinstance(report.outcome, RunFailed) and report.outcome.device_lost:
        return None
    released = SlotReleased(
        at=at,
        applied_to=pool.applied_to,
        device=report.device,
        task=str(report.task),
        attempt=report.attempt,
        reason="reported",
    )
    return pool.decided(stream_id("device", report.device), released)


class _Ended:
    """The end of one live attempt, and what follows from each way to end."""

    def __init__(
        self, pool: Pool, task: OpenTask, lease: LiveLease, *, at: float, draw: float
    ) -> None:
        self._pool = pool
        self._task = task
        self._lease = lease
        self._at = at
        self._applied_to = pool.applied_to
        self._draw = draw

    def after(self, outcome: _RunOutcome) -> tuple[Decision, ...]:
        """One event, or an event and the terminal one that it leads to."""
        match outcome:
            case RunCompleted():
                return (self._completed(outcome),)
            case RunFailed(device_lost=True):
                return self._lost(DEVICE_UNAVAILABLE)
            case RunFailed(shared=True, code=code) if self._lease.batch is not None:
                return self._lost(BATCH_FAILED, code)
            case RunFailed(code=code, message=message, retryable=retryable):
                return self._failed(code, message, retryable=retryable)
            case RunTimedOut():
                return self._timed_out(outcome)
            case RunCancelled():
                # Had somebody asked for it, the cancellation would have ended the task first.
                return self._lost(EXECUTOR_CANCELLED)

    def _completed(self, run: RunCompleted) -> TaskCompleted:
        if self._task.parts is not None:
            return decide_merged(self._pool, self._task, run, at=self._at)
        return TaskCompleted(
            at=self._at,
            applied_to=self._applied_to,
            attempt=self._lease.attempt,
            device=self._lease.device,
            variant=self._lease.variant,
            result=run.result,
            queue_s=round(self._lease.granted_at - self._task.arrival, 6),
            run_s=run.run_s,
            model_version=run.model_version,
            progress_parts=run.progress_parts,
        )

    def _failed(self, code: str, message: str, *, retryable: bool) -> tuple[Decision, ...]:
        failed = AttemptFailed(
            at=self._at,
            applied_to=self._applied_to,
            attempt=self._lease.attempt,
            device=self._lease.device,
            code=code,
            message=message,
            retry_at=self._retry_at,
            draw=self._draw,
        )
        return (failed, *self._give_up(code, message, retryable=retryable))

    def _timed_out(self, run: RunTimedOut) -> tuple[Decision, ...]:
        run_s = round(run.run_s, 6) if run.code else 0.0
        timed_out = AttemptTimedOut(
            at=self._at,
            applied_to=self._applied_to,
            attempt=self._lease.attempt,
            device=self._lease.device,
            run_timeout_s=self._lease.run_timeout_s,
            retry_at=self._retry_at,
            draw=self._draw,
            code=run.code,
            run_s=run_s,
        )
        message = f"no answer within {self._lease.run_timeout_s:.3g} s"
        if run.code:
            message = f"no sign of life came in time, {run_s:.3g} s after it began"
        return (timed_out, *self._give_up(run.code or RUN_TIMEOUT, message, retryable=True))

    def _lost(self, reason: str, code: str = "") -> tuple[Decision, ...]:
        return _lost(self._pool, self._task, self._lease, reason, at=self._at, code=code)

    @property
    def _retry_at(self) -> float:
        return self._at + retry_delay_s(self._lease.attempt, self._draw)

    def _give_up(self, code: str, message: str, *, retryable: bool) -> tuple[Decision, ...]:
        if retryable and self._task.tries < self._task.accepted.max_attempts:
            return ()
        at, applied_to = self._at, self._applied_to
        models, task = self._pool.models, self._task
        plan = plan_for_less_memory(models, task) if code == OUT_OF_MEMORY else None
        if plan is not None:
            return (SplitPlanned(at=at, applied_to=applied_to, plan=plan, code=code),)
        failed = TaskFailed(
            at=at, applied_to=applied_to, code=code, message=message, attempts=task.attempts
        )
        return (failed,)


def _lost(
    pool: Pool, task: OpenTask, lease: LiveLease, reason: str, *, at: float, code: str = ""
) -> tuple[Decision, ...]:
    only = reason == DEVICE_UNAVAILABLE and ran_nothing_else(pool, task, lease)
    lost = AttemptLost(
        at=at,
        applied_to=pool.applied_to,
        attempt=lease.attempt,
        device=lease.device,
        reason=reason,
        code=code,
        only=only,
    )
    given_up = _given_up(task, reason, only=only)
    if given_up is None:
        return (lost,)
    failed = TaskFailed(
        at=at,
        applied_to=pool.applied_to,
        code=given_up[0],
        message=given_up[1],
        attempts=task.attempts,
    )
    return (lost, failed)


def _given_up(task: OpenTask, reason: str, *, only: bool) -> tuple[str, str] | None:
    """Code and message if a loss ends the task."""
    crashes, losses = task.crashes + only, task.taken_down + 1
    if crashes >= MAX_CRASHES:
        return QUARANTINED, (
            f"its device stopped answering {crashes} times while it ran nothing but this task; "
            "look at its input and at the model before it is sent again"
        )
    if reason in CALL_ENDED or losses < MAX_LOST:
        return None
    return "lost_too_often", f"its device or executor went away during {losses} attempts"


def decide_lost(
    pool: Pool,
    task_id: UUID,
    reason: str,
    *,
    at: float,
    attempts: Collection[int] | None = None,
) -> Decided | None:
    """Live attempts of a task will not be reported any more: all of them, or those named."""
    task = pool.tasks.get(task_id)
    leases = () if task is None else task.leases
    lost = [lease for lease in leases if attempts is None or lease.attempt in attempts]
    if task is None or not lost:
        return None
    if len(lost) < len(leases):
        told: tuple[Decision, ...] = (drop_lost(pool, task, lost[0], reason, at=at),)
    elif len(lost) == 1:
        told = _lost(pool, task, lost[0], reason, at=at)
    else:
        dropped = drop_lost(pool, task, lost[0], reason, at=at)
        told = (dropped, *_lost(pool, task, lost[1], reason, at=at))
    return Decided(task.id, task.version, told, task.tenant)


def decide_cancel(pool: Pool, command: CancelTask, *, at: float) -> Decided | None:
    """End a task; None if it is not open here, so that repeating changes nothing."""
    task = pool.tasks.get(command.task)
    if task is None:
        return None
    cancelled = TaskCancelled(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        attempt=task.lease.attempt if task.lease is not None else 0,
    )
    return Decided(task.id, task.version, (cancelled,), task.tenant)
