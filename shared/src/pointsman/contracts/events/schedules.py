"""Events of schedules: tasks that are made again and again; decided by the pool's leader.

The stream of a schedule is named by its tenant and its name. A task that it makes is accepted like
any other, with the schedule in `TaskAccepted.schedule` and `<name>@<due time>` as its message id.
"""

from enum import StrEnum

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
    """None: `smaller_model`."""
    min_quality: float = 0.0
    max_attempts: int = 3
    parameters: dict[str, str] | None = None


class ScheduleSet(Decision, frozen=True):
    """The schedule is as described here from now on; due times up to `at` are not its own."""

    pool: str
    tenant: str
    name: str
    cron: str
    """Five fields: minute, hour, day of the month, month, day of the week."""
    timezone: str
    """Name in the IANA time zone database."""
    template: TaskTemplate
    payload: BlobRef
    by: str
    missed: MissedTimes = MissedTimes.ONCE


class ScheduleRemoved(Decision, frozen=True):
    """The schedule makes no tasks any more; those that it has made go on."""

    pool: str
    tenant: str
    name: str
    by: str
    reason: str = ""


class ScheduleFired(Decision, frozen=True):
    """The task of a due time was accepted."""

    pool: str
    tenant: str
    name: str
    due: float
    task: str
    missed: int = 0
    """Due times before it that nobody could act on; at least so many from `MOST_COUNTED` on."""


class ScheduleMissed(Decision, frozen=True):
    """No task was made for the due times up to `due`."""

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
