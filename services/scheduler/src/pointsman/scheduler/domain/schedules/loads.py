"""Warm-ups of schedules: loads that are asked for at due times, as an operator would ask.

A due time and what it asks for stand in one append, on the version of the schedule's stream: of two
leaders, or of two looks, one is the first.
"""

from datetime import UTC, datetime

from pointsman.contracts.commands import Rejected
from pointsman.contracts.events import ScheduleSet
from pointsman.contracts.refusals import NOT_LOADABLE
from pointsman.contracts.schedules import SetSchedule
from pointsman.contracts.steering import LoadModel
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.steering.agreed import Steer
from pointsman.scheduler.domain.steering.devices import decide_device_steering


def refuse_unclear(command: SetSchedule) -> Rejected | None:
    """What a schedule does has to be clear: it makes tasks, or it warms a model up."""
    if command.warm_up is None and command.template is not None:
        return None
    if command.warm_up is not None and command.template is None and not command.payload:
        return None
    return Rejected(
        code="task_or_warm_up",
        message="a schedule either makes tasks or has a model loaded",
        next="name a family with the input of its tasks, or a model to warm up",
    )


def refuse_warm_up(pool: Pool, terms: ScheduleSet, *, at: float) -> Rejected | None:
    """Why no warm-up of a schedule would ever come; what passes is no reason."""
    warm_up = terms.warm_up
    if warm_up is None:
        return None
    asked = ask_load(pool, terms, at, at=at)
    loadable = any(
        device.can_load(warm_up.variant)
        for name, device in pool.devices.items()
        if warm_up.device in {"", name}
    )
    # A device that is detached or drained now may be back by then.
    if isinstance(asked, Rejected) and not (asked.code == NOT_LOADABLE and loadable):
        return asked
    return None


def ask_load(pool: Pool, terms: ScheduleSet, due: float, *, at: float) -> Steer:
    """What comes of the load of a due time; raises `ValueError` for a schedule of tasks."""
    if terms.warm_up is None:
        raise ValueError(f"schedule {terms.name} makes tasks")
    when = datetime.fromtimestamp(due, tz=UTC)
    command = LoadModel(
        command_id="",
        by=f"schedule {terms.name}",
        reason=f"a warm-up is due at {when:%Y-%m-%dT%H:%M:%SZ}, set by {terms.by}",
        variant=terms.warm_up.variant,
        device=terms.warm_up.device,
    )
    return decide_device_steering(pool, command, at=at)
