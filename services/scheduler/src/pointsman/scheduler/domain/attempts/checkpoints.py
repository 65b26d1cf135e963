"""Where running attempts stand, as far as the log tells it."""

from pointsman.contracts.decided import Decided
from pointsman.contracts.endurance import CHECKPOINT_EVERY_S, CheckpointReport
from pointsman.contracts.events import TaskCheckpointed
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask


def decide_checkpoint(pool: Pool, report: CheckpointReport, *, at: float) -> Decided | None:
    """Record where a live attempt stands; None if it is of no use, so that repeating is safe.

    Of an attempt that is not live or another holder, not newer than what is recorded, or sooner
    after it than `CHECKPOINT_EVERY_S`: a later one says more. Of two attempts the later one counts.
    """
    task = pool.tasks.get(report.task)
    lease = task.lease_of(report.attempt) if task is not None else None
    if task is None or lease is None:
        return None
    holder = (lease.attempt, lease.incarnation, lease.device)
    if holder != (report.attempt, report.incarnation, report.device):
        return None
    if not _advances(task, report, at):
        return None
    checkpointed = TaskCheckpointed(
        at=at,
        applied_to=pool.applied_to,
        attempt=report.attempt,
        sequence=report.sequence,
        variant=lease.variant,
        checkpoint=report.checkpoint,
        progress=report.progress,
    )
    return Decided(task.id, task.version, (checkpointed,), task.tenant)


def _advances(task: OpenTask, report: CheckpointReport, at: float) -> bool:
    last = task.checkpoint
    if last is None:
        return True
    newer = (report.attempt, report.sequence) > (last.attempt, last.sequence)
    return newer and not 0 <= at - last.at < CHECKPOINT_EVERY_S
