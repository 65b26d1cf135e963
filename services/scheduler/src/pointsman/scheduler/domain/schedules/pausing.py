"""What operators ask of a schedule that stands: to pause it, and to let it go on.

What is due meanwhile is no due time at all: it is neither made up for nor counted as missed, as
with a schedule that was set later.
"""

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.events import SchedulePaused, ScheduleResumed
from pointsman.contracts.schedules import PauseSchedule, ScheduleSteering
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.schedules.decisions import decided_for
from pointsman.scheduler.domain.steering.agreed import Agreed, Steer
from pointsman.scheduler.domain.steering.steered_tasks import said


def decide_schedule_steering(pool: Pool, command: ScheduleSteering, *, at: float) -> Steer:
    """Take what an operator asks of a schedule."""
    key = command.tenant, command.name
    schedule = pool.timetable.get(key)
    if schedule is None:
        return Rejected(
            code="no_such_schedule",
            message=f"tenant {command.tenant} has no schedule {command.name!r}",
            next="`pointsman schedule ls` shows the schedules",
        )
    pauses = isinstance(command, PauseSchedule)
    if pauses and schedule.paused is not None:
        return Done(detail=f"it is paused already by {said(schedule.paused)}")
    if not pauses and schedule.paused is None:
        return Done(detail="it is not paused")
    event = (SchedulePaused if pauses else ScheduleResumed)(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        pool=pool.name,
        tenant=command.tenant,
        name=command.name,
    )
    detail = "nothing is due until it resumes" if pauses else "it goes on with its next due time"
    return Agreed(decided_for(pool, key, event), detail)
