"""Schedules, decided again: what was set and removed, and what became of due times."""

from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.commands import Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.schedules import (
    PauseSchedule,
    RemoveSchedule,
    ResumeSchedule,
    SetSchedule,
)
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.schedules.decisions import (
    NOT_IN_TIME,
    decide_fired,
    decide_made,
    decide_missed,
    decide_remove,
    decide_set,
    decide_warmed,
)
from pointsman.scheduler.domain.schedules.pausing import decide_schedule_steering
from pointsman.scheduler.domain.schedules.timetable import Due, ScheduleId
from pointsman.scheduler.domain.steering.agreed import Agreed
from pointsman.time_machine.replay.appends import Append


def schedule_set(pool: Pool, append: Append, event: events.ScheduleSet) -> Decided | None:  # noqa: ARG001 - as all of the table
    """Somebody set it so."""
    command = SetSchedule(
        command_id="",
        tenant=event.tenant,
        name=event.name,
        cron=event.cron,
        timezone=event.timezone,
        by=event.by,
        template=event.template,
        warm_up=event.warm_up,
        missed=event.missed,
    )
    decided = decide_set(pool, command, event.payload, at=event.at)
    return decided if isinstance(decided, Decided) else None


def schedule_removed(pool: Pool, append: Append, event: events.ScheduleRemoved) -> Decided | None:  # noqa: ARG001 - as all of the table
    """Somebody removed it."""
    command = RemoveSchedule(
        command_id="", tenant=event.tenant, name=event.name, by=event.by, reason=event.reason
    )
    return decide_remove(pool, command, at=event.at)


def schedule_steered(
    pool: Pool,
    append: Append,  # noqa: ARG001 - as all of the table
    event: events.SchedulePaused | events.ScheduleResumed,
) -> Decided | None:
    """Somebody paused it, or let it go on."""
    verb = PauseSchedule if isinstance(event, events.SchedulePaused) else ResumeSchedule
    command = verb(
        command_id="replayed",
        by=event.by,
        reason=event.reason,
        tenant=event.tenant,
        name=event.name,
    )
    steer = decide_schedule_steering(pool, command, at=event.at)
    return steer.decided if isinstance(steer, Agreed) else None


def schedule_fired(pool: Pool, append: Append, event: events.ScheduleFired) -> Decided | None:
    """Its task was accepted, by this leader or by the one before, or its load asked for."""
    key = event.tenant, event.name
    if not event.task:
        due = _due(pool, key, event.due)
        return None if due is None else decide_warmed(pool, key, due, at=event.at)
    made = decide_made(pool, key, at=event.at)
    if made is not None and made.events == append.events:
        return made
    due = _due(pool, key, event.due)
    return None if due is None else decide_fired(pool, key, due, UUID(event.task), at=event.at)


def schedule_missed(pool: Pool, append: Append, event: events.ScheduleMissed) -> Decided | None:  # noqa: ARG001 - as all of the table
    """Nobody acted on its due times, or its task or load was refused."""
    key = event.tenant, event.name
    due = _due(pool, key, event.due)
    if due is None:
        return None
    refused = event.code != NOT_IN_TIME
    if refused and pool.timetable[key].terms.warm_up is not None:
        return decide_warmed(pool, key, due, at=event.at)
    refusal = Rejected(code=event.code, message=event.reason) if refused else None
    return decide_missed(pool, key, due, refusal, at=event.at)


def _due(pool: Pool, key: ScheduleId, due: float) -> Due | None:
    """A due time with those before it that nothing was done for."""
    schedule = pool.timetable.get(key)
    times = None if schedule is None else schedule.cron.between(schedule.settled, due)
    return None if times is None else Due(times.latest, times.count - 1)
