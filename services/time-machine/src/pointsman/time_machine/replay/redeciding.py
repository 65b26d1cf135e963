"""Which decision follows from which event, and how it is made again."""

from collections.abc import Callable, Mapping
from typing import Final, get_args

from pointsman.contracts import events
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.replay.admissions import accepted
from pointsman.time_machine.replay.appends import OF_ROUNDS, Append, Moment
from pointsman.time_machine.replay.attempt_ends import (
    cancelled,
    checkpointed,
    completed,
    dropped,
    failed,
    lost,
    prepared,
    released,
    split,
    timed_out,
)
from pointsman.time_machine.replay.device_changes import (
    attached,
    detached,
    health,
    policy_set,
    registered,
    routing_changed,
)
from pointsman.time_machine.replay.residency_ends import residency_ended
from pointsman.time_machine.replay.schedules import (
    schedule_fired,
    schedule_missed,
    schedule_removed,
    schedule_set,
    schedule_steered,
)
from pointsman.time_machine.replay.steering import (
    OfDevices,
    OfPools,
    OfTasks,
    device_steered,
    pool_steered,
    residency_asked,
    task_steered,
    tenant_set,
)

# Each entry takes the event type that it stands under; the tables are what keeps them together.
_ALONE: Mapping[type[Decision], Callable[..., Decided | None]] = {
    events.TaskCompleted: completed,
    events.TaskPrepared: prepared,
    events.TaskCancelled: cancelled,
    events.TaskCheckpointed: checkpointed,
    events.TaskSplit: split,
    **dict.fromkeys(get_args(OfTasks), task_steered),
    **dict.fromkeys(get_args(OfPools), pool_steered),
    **dict.fromkeys(get_args(OfDevices), device_steered),
    events.ResidencyAsked: residency_asked,
    events.TenantSet: tenant_set,
    events.ScheduleSet: schedule_set,
    events.ScheduleRemoved: schedule_removed,
    events.SchedulePaused: schedule_steered,
    events.ScheduleResumed: schedule_steered,
    events.ScheduleFired: schedule_fired,
    events.ScheduleMissed: schedule_missed,
    events.ResidencyChanged: residency_ended,
    events.ResidencyFailed: residency_ended,
    events.RoutingChanged: routing_changed,
    events.AttemptFailed: failed,
    events.AttemptTimedOut: timed_out,
    events.AttemptLost: lost,
    events.AttemptDropped: dropped,
    events.PolicySet: policy_set,
    events.SlotReleased: released,
    events.DeviceSuspended: health,
    events.DeviceResumed: health,
    events.ModelRegistered: registered,
}
"""By the first event of an append, which the function takes besides pool and append."""

_IN_COMPANY: Mapping[type[Decision], Callable[..., Decided | None]] = {
    events.TaskAccepted: accepted,
    events.DeviceAttached: attached,
    events.DeviceDetached: detached,
}
"""Likewise; these look at what was recorded with them as well."""

REDECIDED: Final = frozenset({*_ALONE, *_IN_COMPANY})
"""What may stand first in an append that is decided again; rounds are besides."""

OF_LEADERS: Final = REDECIDED | OF_ROUNDS | {events.TaskFailed}
"""Events of decisions that are made again; a task fails in a round, or with its attempt."""


def redecide(pool: Pool, append: Append, moment: Moment) -> Decided | None:
    """What is decided now for the stream of an append whose first event is in `REDECIDED`."""
    first = append.first
    if type(first) in _ALONE:
        return _ALONE[type(first)](pool, append, first)
    return _IN_COMPANY[type(first)](pool, append, first, moment)
