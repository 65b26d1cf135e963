"""When the deadline of a task cannot be met any more."""

from pointsman.contracts.events import TaskExpired
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask


def too_late(pool: Pool, task: OpenTask, at: float) -> TaskExpired | None:
    """The end of a task that no admissible variant can finish in time any more."""
    deadline = task.accepted.deadline
    if deadline is None:
        return None
    needed = pool.models.fastest_s(task.accepted.variants)
    if at < deadline and at + needed <= deadline:
        return None
    reason = (
        "the deadline has passed"
        if at >= deadline
        else "no admissible variant can finish before the deadline"
    )
    return TaskExpired(
        at=at, applied_to=pool.applied_to, deadline=deadline, reason=reason, needed_s=needed
    )


def load_too_late(pool: Pool, deadline: float, *, at: float, needed_s: float) -> TaskExpired:
    """The end of a task whose model would have to be loaded first, which takes too long."""
    return TaskExpired(
        at=at,
        applied_to=pool.applied_to,
        deadline=deadline,
        reason="no admissible variant can be loaded and finish before the deadline",
        needed_s=needed_s,
    )
