"""What operators asked for, decided again from what was recorded of it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from pointsman.contracts import events
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import RekeyKind
from pointsman.contracts.steering import (
    NO_LIMIT,
    BoostTask,
    DeviceSteering,
    DrainDevice,
    HoldTask,
    LimitModel,
    LoadModel,
    MoveTask,
    PauseScope,
    PoolSteering,
    ReleaseTask,
    ResumeScope,
    SetTenant,
    TaskSteering,
    UndrainDevice,
    UnloadModel,
)
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.steering.agreed import Agreed, Steer
from pointsman.scheduler.domain.steering.devices import decide_device_steering
from pointsman.scheduler.domain.steering.pools import decide_pool_steering
from pointsman.scheduler.domain.steering.tasks import decide_task_steering
from pointsman.scheduler.domain.steering.tenants import decide_tenant
from pointsman.time_machine.replay.appends import Append

OfTasks = events.TaskHeld | events.TaskReleased | events.TaskRekeyed
OfPools = events.PoolPaused | events.PoolResumed | events.ModelLimited
OfDevices = events.DrainStarted | events.DrainEnded

_ID: Final = "replayed"


def task_steered(pool: Pool, append: Append, event: OfTasks) -> Decided | None:
    """A task was held, released or given another place."""
    command: TaskSteering
    task, by, reason = append.stream, event.by, event.reason
    match event:
        case events.TaskHeld():
            command = HoldTask(command_id=_ID, by=by, reason=reason, task=task)
        case events.TaskReleased():
            command = ReleaseTask(command_id=_ID, by=by, reason=reason, task=task)
        case events.TaskRekeyed(kind=RekeyKind.BOOST, boost_s=boost_s):
            command = BoostTask(command_id=_ID, by=by, reason=reason, task=task, boost_s=boost_s)
        case events.TaskRekeyed(priority_class=to):
            command = MoveTask(command_id=_ID, by=by, reason=reason, task=task, priority_class=to)
    decided = _agreed(decide_task_steering(pool, command, at=event.at))
    if isinstance(event, events.TaskRekeyed) and event.places is None:
        return _without_places(decided)
    return decided


def _without_places(decided: Decided | None) -> Decided | None:
    """Earlier releases did not record them."""
    if decided is None or not isinstance(event := decided.events[0], events.TaskRekeyed):
        return decided
    return replace(decided, events=(msgspec.structs.replace(event, places=None),))


def pool_steered(pool: Pool, append: Append, event: OfPools) -> Decided | None:  # noqa: ARG001 - as all of the table
    """Something was paused or resumed, or a model bounded."""
    command: PoolSteering
    by, reason = event.by, event.reason
    match event:
        case events.PoolPaused(kind=kind, name=name):
            command = PauseScope(command_id=_ID, by=by, reason=reason, kind=kind, name=name)
        case events.PoolResumed(kind=kind, name=name):
            command = ResumeScope(command_id=_ID, by=by, reason=reason, kind=kind, name=name)
        case events.ModelLimited(variant=variant, running=running):
            limit = NO_LIMIT if running is None else running
            command = LimitModel(
                command_id=_ID, by=by, reason=reason, variant=variant, running=limit
            )
    return _agreed(decide_pool_steering(pool, command, at=event.at))


def device_steered(pool: Pool, append: Append, event: OfDevices) -> Decided | None:  # noqa: ARG001 - as all of the table
    """A device was taken out of service, or given back."""
    verb = DrainDevice if isinstance(event, events.DrainStarted) else UndrainDevice
    command = verb(command_id=_ID, by=event.by, reason=event.reason, device=event.device)
    return _agreed(decide_device_steering(pool, command, at=event.at))


def residency_asked(pool: Pool, append: Append, event: events.ResidencyAsked) -> Decided | None:
    """A load or an unload was asked for, of one device or of whichever has the model."""
    nearest: Decided | None = None
    for command in _asks(append, event):
        decided = _agreed(decide_device_steering(pool, command, at=event.at))
        if decided is not None and decided.events == append.events:
            return decided
        nearest = nearest or decided
    return nearest


def tenant_set(pool: Pool, append: Append, event: events.TenantSet) -> Decided | None:  # noqa: ARG001 - as all of the table
    """A tenant's weight or limits were set."""
    command = SetTenant(
        command_id=_ID,
        by=event.by,
        reason=event.reason,
        tenant=event.tenant,
        weight=event.weight,
        running=NO_LIMIT if event.running is None else event.running,
        queued=NO_LIMIT if event.queued is None else event.queued,
    )
    return _agreed(decide_tenant(pool, command, at=event.at))


def _asks(append: Append, event: events.ResidencyAsked) -> Iterator[DeviceSteering]:
    verb = LoadModel if event.load else UnloadModel
    named = (event.device, "") if len(append.events) == 1 else ("",)
    for device in dict.fromkeys(named):
        yield verb(
            command_id=_ID,
            by=event.by,
            reason=event.reason,
            variant=event.variant,
            device=device,
        )


def _agreed(steer: Steer) -> Decided | None:
    return steer.decided if isinstance(steer, Agreed) else None
