"""Commands and questions about schedules; answers of commands stand in `commands`.

subject                                   message                   reply
`pm.cmd.scheduler.<pool>.set_schedule`    list of `SetSchedule`     list of answers
`pm.cmd.scheduler.<pool>.remove_schedule` list of `RemoveSchedule`  list of answers
`pm.cmd.scheduler.<pool>.steer_schedule`  list of
                                          `ScheduleSteering`        list of answers
`pm.query.scheduler.schedules`            `ListSchedules`           list of `ScheduleRow`
"""

from typing import Annotated, Final

import msgspec

from pointsman.contracts.events.schedules import MissedTimes, TaskTemplate, WarmUp
from pointsman.contracts.message import Message
from pointsman.contracts.steering import OperatorCommand
from pointsman.contracts.subjects import NAME_PATTERN, TENANT_PATTERN

MOST_COUNTED: Final = 1_000
"""Missed due times are counted up to here: a schedule for each minute misses 525 600 in a year."""


class SetSchedule(Message, frozen=True):
    """Have a task made at each due time of a cron expression, or a model loaded.

    Replaces a schedule of the same name. It names either `template` or `warm_up`.
    """

    command_id: str
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    name: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
    cron: str
    by: str
    template: TaskTemplate | None = None
    payload: bytes = b""
    """Of each task."""
    timezone: str = "UTC"
    media_type: str = "text/plain"
    missed: MissedTimes = MissedTimes.ONCE
    """Of tasks; a warm-up that is ten minutes late is of no use, and skipped."""
    warm_up: WarmUp | None = None


class RemoveSchedule(Message, frozen=True):
    """Nothing is due any more; tasks that were made go on."""

    command_id: str
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    name: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
    by: str
    reason: str = ""


class PauseSchedule(OperatorCommand, frozen=True, tag_field="verb", tag="pause"):
    """Nothing is due until it resumes; tasks that were made go on."""

    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    name: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]


class ResumeSchedule(OperatorCommand, frozen=True, tag_field="verb", tag="resume"):
    """It goes on with its next due time; what was due meanwhile is not made up for."""

    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    name: Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]


ScheduleSteering = PauseSchedule | ResumeSchedule


class ListSchedules(Message, frozen=True):
    """Schedules of the pool, by tenant and name."""

    tenant: str | None = None


class ScheduleRow(Message, frozen=True):
    """A schedule as its leader has folded it."""

    name: str
    tenant: str
    cron: str
    timezone: str
    family: str
    """Of its tasks; empty: it makes none."""
    priority_class: str
    missed_times: MissedTimes
    """What becomes of due times that nobody could act on in time."""
    set_at: float
    set_by: str
    next_due: float | None
    """None: nothing is due any more, or while it is paused."""
    last_due: float | None = None
    """The latest due time for which a task was made or a load asked for."""
    last_task: str = ""
    fired: int = 0
    """Due times with a task or a load since it was set for the first time."""
    missed: int = 0
    """Due times without since then."""
    last_missed: str = ""
    """Why there was none the last time."""
    warm_up: str = ""
    """The variant that it has loaded instead of making tasks."""
    warm_up_device: str = ""
    """Empty: one that the leader chooses."""
    paused: str = ""
    """By whom and why; empty: it is not."""
