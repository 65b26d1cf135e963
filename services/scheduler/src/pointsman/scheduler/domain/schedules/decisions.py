"""What is decided about schedules: set, removed, fired, missed.

A due time is settled in two steps: its task is accepted like any other, under a message id that
names schedule and due time, and then the schedule notes it. Whoever leads after a crash in between
finds the task accepted (`Schedule.made`) and notes it first, so that no due time makes two tasks.
One that asks for a load is settled in one append.
"""

from dataclasses import replace
from typing import Final
from uuid import UUID

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    Decision,
    MissedTimes,
    ScheduleFired,
    ScheduleMissed,
    ScheduleRemoved,
    ScheduleSet,
)
from pointsman.contracts.message import BlobRef
from pointsman.contracts.routing import AUTO
from pointsman.contracts.schedules import RemoveSchedule, SetSchedule
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.admission.submitting import OF_THE_MOMENT, refuse_submit
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.schedules.cron import Cron, CronError
from pointsman.scheduler.domain.schedules.loads import ask_load, refuse_unclear, refuse_warm_up
from pointsman.scheduler.domain.schedules.timetable import (
    Due,
    Schedule,
    ScheduleId,
    message_id,
)
from pointsman.scheduler.domain.steering.agreed import Agreed

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


def decided_for(pool: Pool, key: ScheduleId, event: Decision) -> Decided:
    """An event of a schedule's stream."""
    return pool.decided(stream_of(key), event, tenant=key[0])


def decide_set(
    pool: Pool, command: SetSchedule, payload: BlobRef | None, *, at: float
) -> Decided | Rejected | None:
    """Set a schedule, or say what must be changed; None if it is set like that already.

    Its task or load must be one that the pool would take now, but for what passes.
    """
    unclear = refuse_unclear(command)
    if unclear is not None:
        return unclear
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
    terms = _terms(pool, command, cron, payload, at=at)
    refused = _never_accepted(pool, terms, at=at) or refuse_warm_up(pool, terms, at=at)
    if refused is not None:
        return refused
    if known is not None and _wishes(known.terms) == _wishes(terms):
        return None
    return decided_for(pool, key, terms)


def _terms(
    pool: Pool, command: SetSchedule, cron: Cron, payload: BlobRef | None, *, at: float
) -> ScheduleSet:
    return ScheduleSet(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=command.tenant,
        name=command.name,
        cron=cron.expression,
        timezone=cron.timezone,
        by=command.by,
        template=command.template,
        payload=payload,
        warm_up=command.warm_up,
        missed=command.missed if command.warm_up is None else MissedTimes.SKIP,
    )


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
    return decided_for(pool, key, removed)


def submission(schedule: Schedule, due: float, *, at: float) -> SubmitTask | None:
    """The task of a due time, made at `at`; None: it asks for a load instead."""
    terms, template, payload = schedule.terms, schedule.terms.template, schedule.terms.payload
    if template is None or payload is None:
        return None
    deadline = None
    if template.deadline_after_s is not None:
        deadline = at + template.deadline_after_s
    return SubmitTask(
        command_id=message_id(terms.name, due),
        tenant=terms.tenant,
        family=template.family,
        payload_ref=payload,
        media_type=payload.media_type,
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
    missed = max(0, times.count - 1) if times is not None else 0
    return _fired(pool, key, Due(due, missed), at=at, task=task)


def decide_fired(pool: Pool, key: ScheduleId, due: Due, task: UUID, *, at: float) -> Decided | None:
    """Note the task of a due time; None if that is settled already or the schedule is gone."""
    if _unsettled(pool, key, due) is None:
        return None
    return _fired(pool, key, due, at=at, task=str(task))


def decide_warmed(pool: Pool, key: ScheduleId, due: Due, *, at: float) -> Decided | None:
    """Ask for the load of a due time and note that, or why it is not to be had.

    None if that is settled already or the schedule is gone, paused, or makes tasks now.
    """
    schedule = _unsettled(pool, key, due)
    if schedule is None or schedule.paused is not None or schedule.terms.warm_up is None:
        return None
    asked = ask_load(pool, schedule.terms, due.time, at=at)
    if isinstance(asked, Rejected):
        return decide_missed(pool, key, due, asked, at=at)
    fired = _fired(pool, key, due, at=at, detail=asked.detail)
    return replace(fired, also=(asked.decided,) if isinstance(asked, Agreed) else ())


def decide_missed(
    pool: Pool, key: ScheduleId, due: Due, refusal: Rejected | None, *, at: float
) -> Decided | None:
    """Note that nothing is done for a due time: its time is over, or its task was refused."""
    schedule = _unsettled(pool, key, due)
    if schedule is None:
        return None
    code = NOT_IN_TIME if refusal is None else refusal.code
    reason = (
        f"nobody acted on it within {schedule.in_time_s:.0f} s: "
        "the pool was not led or could take no work"
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
    return decided_for(pool, key, missed)


def _never_accepted(pool: Pool, terms: ScheduleSet, *, at: float) -> Rejected | None:
    """What would be wrong with every task of a schedule."""
    task = submission(Schedule(terms, settled=at), at, at=at)
    if task is None or task.payload_ref is None:
        return None
    if task.family == AUTO:
        return Rejected(
            code="family_needed",
            message="a schedule names the family of its tasks",
            next="use a family of `pointsman model ls`",
        )
    refused = refuse_submit(pool, task, task.payload_ref, at=at)
    return None if refused is None or refused.code in OF_THE_MOMENT else refused


def _fired(
    pool: Pool, key: ScheduleId, due: Due, *, at: float, task: str = "", detail: str = ""
) -> Decided:
    tenant, name = key
    fired = ScheduleFired(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=tenant,
        name=name,
        due=due.time,
        task=task,
        detail=detail,
        missed=due.missed,
    )
    return decided_for(pool, key, fired)


def _unsettled(pool: Pool, key: ScheduleId, due: Due) -> Schedule | None:
    schedule = pool.timetable.get(key)
    return schedule if schedule is not None and schedule.settled < due.time else None


def _wishes(terms: ScheduleSet) -> tuple[object, ...]:
    content = "" if terms.payload is None else terms.payload.digest
    done = terms.template, content, terms.warm_up
    return terms.cron, terms.timezone, *done, terms.missed
