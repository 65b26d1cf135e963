"""What follows where one of two attempts of a task ends without a result."""

from pointsman.contracts.events import AttemptDropped, AttemptEnd
from pointsman.contracts.events.attempt_ends import DEVICE_UNAVAILABLE, EXECUTOR_CANCELLED
from pointsman.contracts.leases import RunCancelled, RunFailed, RunTimedOut
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask


def drop_reported(
    pool: Pool,
    task: OpenTask,
    lease: LiveLease,
    outcome: RunFailed | RunTimedOut | RunCancelled,
    *,
    at: float,
) -> AttemptDropped:
    """An attempt has ended in this way, and the other goes on: nothing has to be given up yet."""
    match outcome:
        case RunFailed(device_lost=True):
            return drop_lost(pool, task, lease, DEVICE_UNAVAILABLE, at=at)
        case RunCancelled():
            return drop_lost(pool, task, lease, EXECUTOR_CANCELLED, at=at)
        case RunFailed(code=code, message=message):
            return _dropped(pool, task, lease, AttemptEnd.FAILED, at=at, code=code, message=message)
        case RunTimedOut(code=code, run_s=run_s):
            return _dropped(
                pool,
                task,
                lease,
                AttemptEnd.TIMED_OUT,
                at=at,
                code=code,
                run_timeout_s=lease.run_timeout_s,
                run_s=round(run_s, 6) if code else 0.0,
            )


def drop_lost(
    pool: Pool, task: OpenTask, lease: LiveLease, reason: str, *, at: float
) -> AttemptDropped:
    """Nobody will report an attempt, and the other goes on."""
    only = reason == DEVICE_UNAVAILABLE and ran_nothing_else(pool, task, lease)
    return _dropped(pool, task, lease, AttemptEnd.LOST, at=at, code=reason, only=only)


def ran_nothing_else(pool: Pool, task: OpenTask, lease: LiveLease) -> bool:
    """Whether a device had nothing but this attempt to do when it stopped answering.

    What was in flight beside it is held or, once its loss was told, suspect until the engine is
    seen with nothing in flight.
    """
    device = pool.devices.get(lease.device)
    mine = (task.id, lease.attempt)
    return device is not None and all(key == mine for key in (*device.held, *device.suspect))


def _dropped(  # noqa: PLR0913 - one argument per fact that differs
    pool: Pool,
    task: OpenTask,
    lease: LiveLease,
    end: AttemptEnd,
    *,
    at: float,
    code: str,
    message: str = "",
    run_timeout_s: float = 0.0,
    run_s: float = 0.0,
    only: bool = False,
) -> AttemptDropped:
    other = next(each for each in task.leases if each.attempt != lease.attempt)
    return AttemptDropped(
        at=at,
        applied_to=pool.applied_to,
        attempt=lease.attempt,
        device=lease.device,
        goes_on=other.attempt,
        end=end,
        code=code,
        message=message,
        run_timeout_s=run_timeout_s,
        run_s=run_s,
        only=only,
    )
