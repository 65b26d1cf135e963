"""Events of schedules: what is done again and again; decided by the pool's leader.

The stream of a schedule is named by its tenant and its name. A task that it makes is accepted like
any other, with the schedule in `TaskAccepted.schedule` and `<name>@<due time>` as its message id.
A load that it asks for is a `pool.residency_asked` in the append of its `schedule.fired`.
"""

from enum import StrEnum

from pointsman.contracts.events.steering import Steered
from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import BlobRef, Degradation, Message, PriorityClass


class MissedTimes(StrEnum):
    """What becomes of due times that nobody could act on in time."""

    ONCE = "once"
    """One task for all of them, at the latest of them."""
    SKIP = "skip"
    """No task: the next one is made at the next due time."""


class TaskTemplate(Message, frozen=True):
    """What each task of a schedule asks for."""

    family: str
    model: str | None = None
    """Only this variant."""
    priority_class: PriorityClass = PriorityClass.STANDARD
    deadline_after_s: float | None = None
    """From the moment at which the task is made."""
    boost_s: float = 0.0
    degradation: Degradation | None = None
    """None: what the class of the task allows."""
    min_quality: float = 0.0
    max_attempts: int = 3
    parameters: dict[str, str] | None = None


class WarmUp(Message, frozen=True):
    """What a schedule has loaded that makes no tasks."""

    variant: str
    device: str = ""
    """Empty: one that the leader chooses."""


class ScheduleSet(Decision, frozen=True):
    """The schedule is as described here from now on; due times up to `at` are not its own.

    It makes a task of `template` and `payload` each time, or asks for the load in `warm_up`.
    """

    pool: str
    tenant: str
    name: str
    cron: str
    """Five fields: minute, hour, day of the month, month, day of the week."""
    timezone: str
    """Name in the IANA time zone database."""
    by: str
    template: TaskTemplate | None = None
    payload: BlobRef | None = None
    missed: MissedTimes = MissedTimes.ONCE
    warm_up: WarmUp | None = None


class ScheduleRemoved(Decision, frozen=True):
    """Nothing is due any more; tasks that it has made go on, and so do loads."""

    pool: str
    tenant: str
    name: str
    by: str
    reason: str = ""


class SchedulePaused(Steered, frozen=True):
    """Nothing is due until it resumes; tasks that it has made go on."""

    pool: str
    tenant: str
    name: str


class ScheduleResumed(Steered, frozen=True):
    """It goes on; due times up to `at` were none, and are not made up for."""

    pool: str
    tenant: str
    name: str


class ScheduleFired(Decision, frozen=True):
    """The task of a due time was accepted, or its load asked for as an operator would."""

    pool: str
    tenant: str
    name: str
    due: float
    task: str = ""
    """Empty: a warm-up."""
    missed: int = 0
    """Due times before it that nobody could act on; at least so many from `MOST_COUNTED` on."""
    detail: str = ""
    """Of a warm-up: what an operator would have been told."""


class ScheduleMissed(Decision, frozen=True):
    """Nothing was done for the due times up to `due`."""

    pool: str
    tenant: str
    name: str
    due: float
    """The latest of them."""
    missed: int
    """How many; at least so many from `MOST_COUNTED` on."""
    code: str
    """`not_in_time`, or that of the refusal."""
    reason: str
