"""What operators ask of a pool, whatever it is about."""

from pointsman.contracts.steering import (
    BoostTask,
    DrainDevice,
    HoldTask,
    LimitModel,
    LoadModel,
    MoveTask,
    PauseScope,
    ReleaseTask,
    ResumeScope,
    SetTenant,
    SteeringCommand,
    UndrainDevice,
    UnloadModel,
)
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.steering.agreed import Steer
from pointsman.scheduler.domain.steering.devices import decide_device_steering
from pointsman.scheduler.domain.steering.pools import decide_pool_steering
from pointsman.scheduler.domain.steering.tasks import decide_task_steering
from pointsman.scheduler.domain.steering.tenants import decide_tenant


def decide_steering(pool: Pool, command: SteeringCommand, *, at: float) -> Steer:
    """Take what an operator asks."""
    match command:
        case HoldTask() | ReleaseTask() | BoostTask() | MoveTask():
            return decide_task_steering(pool, command, at=at)
        case PauseScope() | ResumeScope() | LimitModel():
            return decide_pool_steering(pool, command, at=at)
        case DrainDevice() | UndrainDevice() | LoadModel() | UnloadModel():
            return decide_device_steering(pool, command, at=at)
        case SetTenant():
            return decide_tenant(pool, command, at=at)
