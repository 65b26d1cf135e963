"""Ends of attempts and tasks, decided again from the command that the recorded event tells of.

A report's outcome stands in the event that it led to. Whether a failure could be retried does not:
it is taken from whether the task failed with it, so that the number of tries is checked, and the
executor's judgement is taken as it was.
"""

from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.commands import CancelTask, PrepareTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.events import AttemptEnd
from pointsman.contracts.events.attempt_ends import (
    BATCH_FAILED,
    DEVICE_UNAVAILABLE,
    EXECUTOR_CANCELLED,
)
from pointsman.contracts.leases import (
    AttemptReport,
    Outcome,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunSplit,
    RunTimedOut,
)
from pointsman.scheduler.domain.admission.preparation import decide_prepare
from pointsman.scheduler.domain.attempts.checkpoints import decide_checkpoint
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_lost, decide_report
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.replay.appends import Append

OfAttempts = (
    events.TaskCompleted
    | events.TaskSplit
    | events.AttemptFailed
    | events.AttemptTimedOut
    | events.AttemptLost
    | events.AttemptDropped
)


def completed(pool: Pool, append: Append, event: events.TaskCompleted) -> Decided | None:
    """The result of a run, or of an identical task."""
    if event.cached_from:
        return _prepare(
            pool,
            append,
            PrepareTask(
                command_id="",
                task=append.stream,
                cached=event.result,
                cached_from=event.cached_from,
                cached_variant=event.variant,
            ),
        )
    outcome = RunCompleted(
        result=event.result,
        run_s=event.run_s,
        model_version=event.model_version,
        progress_parts=event.progress_parts,
    )
    return _reported(pool, append, event, outcome, 0.0)


def failed(pool: Pool, append: Append, event: events.AttemptFailed) -> Decided | None:
    """An engine's error, with the end of the task if it was the last try."""
    gave_up = any(isinstance(each, events.TaskFailed) for each in append.events)
    outcome = RunFailed(code=event.code, message=event.message, retryable=not gave_up)
    return _reported(pool, append, event, outcome, event.draw)


def timed_out(pool: Pool, append: Append, event: events.AttemptTimedOut) -> Decided | None:
    """A run that took too long, with the end of the task if it was the last try."""
    outcome = RunTimedOut(run_s=event.run_s, code=event.code)
    return _reported(pool, append, event, outcome, event.draw)


def split(pool: Pool, append: Append, event: events.TaskSplit) -> Decided | None:
    """The input was cut; its parts are accepted with it."""
    return _reported(pool, append, event, RunSplit(parts=event.parts), 0.0)


def checkpointed(pool: Pool, append: Append, event: events.TaskCheckpointed) -> Decided | None:
    """The running attempt told where it stands."""
    task = pool.tasks.get(append.stream)
    lease = None if task is None else task.lease_of(event.attempt)
    if lease is None:
        return None
    report = CheckpointReport(
        executor=lease.executor,
        incarnation=lease.incarnation,
        device=lease.device,
        task=append.stream,
        attempt=event.attempt,
        sequence=event.sequence,
        checkpoint=event.checkpoint,
        progress=event.progress,
    )
    return decide_checkpoint(pool, report, at=event.at)


def lost(pool: Pool, append: Append, event: events.AttemptLost) -> Decided | None:
    """What follows from a loss; that a holder was absent or replaced is not in the log."""
    outcome = _loss(event.reason, event.code)
    if outcome is None:
        return _unreported(pool, append, event.reason)
    return _reported(pool, append, event, outcome, 0.0)


def dropped(pool: Pool, append: Append, event: events.AttemptDropped) -> Decided | None:
    """One of two attempts has ended and the other goes on, or is lost with it."""
    outcome: Outcome | None
    match event.end:
        case AttemptEnd.FAILED:
            outcome = RunFailed(code=event.code, message=event.message, retryable=True)
        case AttemptEnd.TIMED_OUT:
            outcome = RunTimedOut(run_s=event.run_s, code=event.code)
        case AttemptEnd.LOST:
            outcome = _loss(event.code, "")
    if outcome is None or len(append.events) > 1:
        return _unreported(pool, append, event.code)
    return _reported(pool, append, event, outcome, 0.0)


def cancelled(pool: Pool, append: Append, event: events.TaskCancelled) -> Decided | None:
    """Somebody's wish, for one task or a bulk; or nobody needs a part any more."""
    command = CancelTask(command_id="", task=append.stream, by=event.by, reason=event.reason)
    return decide_cancel(pool, command, at=event.at)


def prepared(pool: Pool, append: Append, event: events.TaskPrepared) -> Decided | None:
    """What the context service had for the task."""
    return _prepare(
        pool,
        append,
        PrepareTask(
            command_id="",
            task=append.stream,
            payload=event.payload,
            assembly=event.assembly,
            kept=event.kept,
            dropped=event.dropped,
            tokens=event.tokens,
            note=event.note,
        ),
    )


def released(pool: Pool, append: Append, event: events.SlotReleased) -> Decided | None:
    """The late report of an attempt that had ended in the log; its outcome changed nothing."""
    report = AttemptReport(
        executor="",
        incarnation="",
        device=event.device,
        task=UUID(event.task),
        attempt=event.attempt,
        outcome=RunCancelled(),
    )
    return decide_report(pool, report, at=append.first.at, draw=0.0)


def _unreported(pool: Pool, append: Append, reason: str) -> Decided | None:
    """Attempts that nobody reports any more."""
    ended = (events.AttemptLost, events.AttemptDropped)
    attempts = [each.attempt for each in append.events if isinstance(each, ended)]
    return decide_lost(pool, append.stream, reason, at=append.first.at, attempts=attempts)


def _loss(reason: str, code: str) -> Outcome | None:
    if reason == DEVICE_UNAVAILABLE:
        return RunFailed(code="", message="", retryable=True, device_lost=True)
    if reason == EXECUTOR_CANCELLED:
        return RunCancelled()
    if reason == BATCH_FAILED:
        return RunFailed(code=code, message="", retryable=True, shared=True)
    return None


def _reported(
    pool: Pool,
    append: Append,
    event: OfAttempts,
    outcome: Outcome,
    draw: float,
) -> Decided | None:
    # Who reported is not recorded; only the holder of the lease is listened to.
    task = pool.tasks.get(append.stream)
    lease = None if task is None else task.lease_of(event.attempt)
    if lease is None:
        return None
    report = AttemptReport(
        executor=lease.executor,
        incarnation=lease.incarnation,
        device=getattr(event, "device", lease.device),
        task=append.stream,
        attempt=event.attempt,
        outcome=outcome,
    )
    return decide_report(pool, report, at=event.at, draw=draw)


def _prepare(pool: Pool, append: Append, command: PrepareTask) -> Decided | None:
    decided = decide_prepare(pool, command, at=append.first.at)
    return decided if isinstance(decided, Decided) else None
