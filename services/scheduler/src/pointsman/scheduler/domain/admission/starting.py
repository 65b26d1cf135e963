"""When a new task may run: not before a time, and not before other tasks have completed."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.scheduler.domain.admission.dependencies import PastTask
from pointsman.scheduler.domain.pool import Pool

MAX_AHEAD_S: Final = 366 * 86_400.0
"""A task that is to run later than this is more likely a mistake in the unit of its time."""


MAX_DEADLINE_S: Final = 2 * MAX_AHEAD_S
"""Nobody waits for a result that long; what is meant is another unit, or no deadline."""


def refuse_deadline(task: SubmitTask, *, at: float) -> Rejected | None:
    """Why a deadline cannot be meant; asked at the door only."""
    if task.deadline is None or task.deadline - at <= MAX_DEADLINE_S:
        return None
    return Rejected(
        code="too_far_ahead",
        message=f"its deadline is {(task.deadline - at) / 86_400:.0f} days away, at most "
        f"{MAX_DEADLINE_S / 86_400:.0f} are taken",
        next="give an earlier deadline, or none",
    )


def arrival(task: SubmitTask, *, at: float) -> float:
    """From when the window of its class counts: acceptance, or `not_before` if that is later.

    So a task that slept stands where it would if it had been sent when it woke: it passes nobody
    who came while it slept and is due before it, and it is as urgent as anybody who comes then. The
    wait for other tasks is not taken out: whoever needs three steps has waited since the first, and
    each step would join the end of the queue anew. The key is fixed at admission either way, since
    both times are known then.
    """
    return max(at, task.not_before or at)


def awaited_by(
    pool: Pool, task: SubmitTask, past: Mapping[UUID, PastTask], *, at: float
) -> tuple[str, ...] | Rejected:
    """The open tasks that it has to wait for, or why it could never run.

    `past` is what the log tells of dependencies that the pool does not remember.
    """
    ahead = _ahead(task, at)
    if ahead is not None:
        return ahead
    return pool.dependencies.awaited(task.tenant, task.depends_on, past)


def _ahead(task: SubmitTask, at: float) -> Rejected | None:
    if task.not_before is None:
        return None
    if task.deadline is not None and task.deadline <= task.not_before:
        return Rejected(
            code="deadline_before_start",
            message="its deadline is not later than the time before which it may not run",
            next="give a later deadline, or an earlier time to run",
        )
    if task.not_before - at > MAX_AHEAD_S:
        return Rejected(
            code="too_far_ahead",
            message=f"it may not run for {(task.not_before - at) / 86_400:.0f} days, at most "
            f"{MAX_AHEAD_S / 86_400:.0f} are taken",
            next="name an earlier time (in messages: seconds since 1970), or submit it later",
        )
    return None
