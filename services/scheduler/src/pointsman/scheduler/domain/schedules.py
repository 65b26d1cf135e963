"""What is decided about schedules: set, removed, fired, missed.

A due time is settled in two steps: its task is accepted like any other, under a message id that
names schedule and due time, and then the schedule notes it. Whoever leads after a crash in between
finds the task accepted (`Schedule.made`) and notes it first, so that no due time makes two tasks.
"""

from typing import Final
from uuid import UUID

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    Decision,
    ScheduleFired,
    ScheduleMissed,
    ScheduleRemoved,
    ScheduleSet,
)
from pointsman.contracts.message import BlobRef
from pointsman.contracts.routing import AUTO
from pointsman.contracts.schedules import RemoveSchedule, SetSchedule
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.admission import OF_THE_MOMENT, refuse_submit
from pointsman.scheduler.domain.cron import Cron, CronError
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.timetable import (
    IN_TIME_S,
    Due,
    Schedule,
    ScheduleId,
    message_id,
)

MAX_SCHEDULES: Final = 1_000
"""Of a pool; each costs a look at its next due time whenever one fires."""

NOT_IN_TIME: Final = "not_in_time"
"""Code of due times that nobody acted on: the pool was not led, or could take no work."""

SOURCE: Final = "/pointsman/schedule"
"""Source of the tasks that schedules make."""


def stream_of(schedule: ScheduleId) -> UUID:
    """The stream of a schedule."""
    tenant, name = schedule
    return stream_id("schedule", name, tenant)


def decide_set(
    pool: Pool, command: SetSchedule, payload: BlobRef, *, at: float
) -> Decided | Rejected | None:
    """Set a schedule, or say what must be changed; None if it is set like that already.

    Its task must be one that the pool would accept now, but for what passes.
    """
    key = (command.tenant, command.name)
    known = pool.timetable.get(key)
    if known is None and len(pool.timetable) >= MAX_SCHEDULES:
        return Rejected(
            code="too_many_schedules",
            message=f"pool {pool.name} has {len(pool.timetable)} schedules",
            next="remove one: `pointsman schedule ls` shows them",
        )
    try:
        cron = Cron.checked(command.cron, command.timezone, at=at)
    except CronError as error:
        return Rejected(code=error.code, message=str(error), next="correct the schedule")
    terms = ScheduleSet(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=command.tenant,
        name=command.name,
        cron=cron.expression,
        timezone=cron.timezone,
        template=command.template,
        payload=payload,
        by=command.by,
        missed=command.missed,
    )
    refused = _never_accepted(pool, terms, at=at)
    if refused is not None:
        return refused
    if known is not None and _wishes(known.terms) == _wishes(terms):
        return None
    return _decided(pool, key, terms)


def decide_remove(pool: Pool, command: RemoveSchedule, *, at: float) -> Decided | None:
    """Remove a schedule; None if there is none, so that repeating changes nothing."""
    key = (command.tenant, command.name)
    if key not in pool.timetable:
        return None
    removed = ScheduleRemoved(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=command.tenant,
        name=command.name,
        by=command.by,
        reason=command.reason,
    )
    return _decided(pool, key, removed)


def submission(schedule: Schedule, due: float, *, at: float) -> SubmitTask:
    """The task of a due time, made at `at`."""
    terms, template = schedule.terms, schedule.terms.template
    deadline = None
    if template.deadline_after_s is not None:
        deadline = at + template.deadline_after_s
    return SubmitTask(
        command_id=message_id(terms.name, due),
        tenant=terms.tenant,
        family=template.family,
        payload_ref=terms.payload,
        media_type=terms.payload.media_type,
        model=template.model,
        priority_class=template.priority_class,
        deadline=deadline,
        boost_s=template.boost_s,
        degradation=template.degradation,
        min_quality=template.min_quality,
        max_attempts=template.max_attempts,
        parameters=template.parameters,
        source=SOURCE,
        schedule=terms.name,
    )


def decide_made(pool: Pool, key: ScheduleId, *, at: float) -> Decided | None:
    """Note the due time whose task is in the log already; None if there is none."""
    schedule = pool.timetable.get(key)
    if schedule is None or schedule.made is None:
        return None
    due, task = schedule.made
    times = schedule.cron.between(schedule.settled, due)
    fired = ScheduleFired(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=schedule.terms.tenant,
        name=schedule.terms.name,
        due=due,
        task=task,
        missed=max(0, times.count - 1) if times is not None else 0,
    )
    return _decided(pool, key, fired)


def decide_fired(pool: Pool, key: ScheduleId, due: Due, task: UUID, *, at: float) -> Decided | None:
    """Note the task of a due time; None if that is settled already or the schedule is gone."""
    schedule = _unsettled(pool, key, due)
    if schedule is None:
        return None
    fired = ScheduleFired(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=schedule.terms.tenant,
        name=schedule.terms.name,
        due=due.time,
        task=str(task),
        missed=due.missed,
    )
    return _decided(pool, key, fired)


def decide_missed(
    pool: Pool, key: ScheduleId, due: Due, refusal: Rejected | None, *, at: float
) -> Decided | None:
    """Note that a due time makes no task: its time is over, or its task was refused."""
    schedule = _unsettled(pool, key, due)
    if schedule is None:
        return None
    code = NOT_IN_TIME if refusal is None else refusal.code
    reason = (
        f"nobody acted on it within {IN_TIME_S:.0f} s: the pool was not led or could take no work"
        if refusal is None
        else refusal.message
    )
    missed = ScheduleMissed(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=schedule.terms.tenant,
        name=schedule.terms.name,
        due=due.time,
        missed=due.missed + 1,
        code=code,
        reason=reason,
    )
    return _decided(pool, key, missed)


def _never_accepted(pool: Pool, terms: ScheduleSet, *, at: float) -> Rejected | None:
    """What would be wrong with every task of a schedule."""
    if terms.template.family == AUTO:
        return Rejected(
            code="family_needed",
            message="a schedule names the family of its tasks",
            next="use a family of `pointsman model ls`",
        )
    task = submission(Schedule(terms, settled=at), at, at=at)
    refused = refuse_submit(pool, task, terms.payload, at=at)
    return None if refused is None or refused.code in OF_THE_MOMENT else refused


def _unsettled(pool: Pool, key: ScheduleId, due: Due) -> Schedule | None:
    schedule = pool.timetable.get(key)
    return schedule if schedule is not None and schedule.settled < due.time else None


def _wishes(terms: ScheduleSet) -> tuple[object, ...]:
    return terms.cron, terms.timezone, terms.template, terms.payload.digest, terms.missed


def _decided(pool: Pool, key: ScheduleId, event: Decision) -> Decided:
    stream = stream_of(key)
    return Decided(stream, pool.version_of(stream), (event,), key[0])
