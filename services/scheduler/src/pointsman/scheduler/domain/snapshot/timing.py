"""What a snapshot keeps of schedules, and of tasks that others may depend on."""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from pointsman.contracts import events
from pointsman.contracts.message import Message
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.admission.dependencies import PastTask
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.schedules.timetable import Schedule

Ends = tuple[tuple[UUID, str, TaskState], ...]
"""Ended tasks with tenant and state, in the order of their ends."""


class ScheduleFacts(Message, frozen=True):
    """A `Schedule` at one moment."""

    terms: events.ScheduleSet
    settled: float
    made: tuple[float, str] | None
    last_due: float | None
    last_task: str
    fired: int
    missed: int
    last_missed: str
    paused: events.SchedulePaused | None


class TimingFacts(Message, frozen=True):
    """Of `Timetable` and `Dependencies`, what does not follow from the tasks."""

    schedules: tuple[ScheduleFacts, ...]
    latest: Ends
    earlier: Ends


def timing_facts(pool: Pool) -> TimingFacts:
    """As it is now."""
    return TimingFacts(
        schedules=tuple(_schedule(schedule) for schedule in pool.timetable.values()),
        latest=_ends(pool.dependencies.latest),
        earlier=_ends(pool.dependencies.earlier),
    )


def restore_timing(pool: Pool, facts: TimingFacts) -> None:
    """Before the tasks are adopted."""
    for known in facts.schedules:
        schedule = Schedule(**msgspec.structs.asdict(known))
        pool.timetable[schedule.id] = schedule
    pool.dependencies.restore(_past(facts.latest), _past(facts.earlier))


def _schedule(schedule: Schedule) -> ScheduleFacts:
    return ScheduleFacts(
        terms=schedule.terms,
        settled=schedule.settled,
        made=schedule.made,
        last_due=schedule.last_due,
        last_task=schedule.last_task,
        fired=schedule.fired,
        missed=schedule.missed,
        last_missed=schedule.last_missed,
        paused=schedule.paused,
    )


def _ends(ends: Mapping[UUID, PastTask]) -> Ends:
    return tuple((task, end.tenant, end.state) for task, end in ends.items())


def _past(facts: Ends) -> dict[UUID, PastTask]:
    return {task: PastTask(tenant, state) for task, tenant, state in facts}
