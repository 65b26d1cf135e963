"""What operators ask of the leader of a pool, and what stands of it.

Commands on `pm.cmd.scheduler.<pool>.<verb>`, a list each, answered after the commit. Each names
its author and his reason, which stand in the event. What is so already gives no event and is
answered `Done`; a repeated command id gets the earlier answer.

verb            commands
`steer_task`    `TaskSteering`
`steer_pool`    `PoolSteering`
`steer_device`  `DeviceSteering`
`set_tenant`    `SetTenant`

Questions on `pm.query.scheduler.<verb>`:

verb            request         reply
`tenants`       `AskPool`       list of `TenantRow`, by name
`pauses`        `AskPool`       list of `PauseRow`, oldest first
"""

from typing import Annotated, Final
from uuid import UUID

import msgspec

from pointsman.contracts.events.steering import ScopeKind
from pointsman.contracts.message import Message, PriorityClass
from pointsman.contracts.subjects import TENANT_PATTERN

NO_LIMIT: Final = -1
"""Takes a limit away."""

MAX_LIMIT: Final = 1_000_000
"""More than that is no bound: so many tasks are all that a pool takes."""

MAX_WEIGHT: Final = 1_000.0
MIN_WEIGHT: Final = 0.001
"""Shares beyond this range are better said with a limit or a pause."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Limit = Annotated[int, msgspec.Meta(ge=NO_LIMIT, le=MAX_LIMIT)]


class OperatorCommand(Message, frozen=True):
    """What every command of an operator carries."""

    command_id: Name
    by: Name
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]


class HoldTask(OperatorCommand, frozen=True, tag_field="verb", tag="hold"):
    """Grant a task no more until it is released; its deadline goes on."""

    task: UUID


class ReleaseTask(OperatorCommand, frozen=True, tag_field="verb", tag="release"):
    """End the hold of a task."""

    task: UUID


class BoostTask(OperatorCommand, frozen=True, tag_field="verb", tag="boost"):
    """Make a task due earlier than its class says by so many seconds, 0: as its class says.

    At most its class's window, and never due before its class's floor: more takes a move.
    """

    task: UUID
    boost_s: Annotated[float, msgspec.Meta(ge=0.0)]


class MoveTask(OperatorCommand, frozen=True, tag_field="verb", tag="move"):
    """Give a task the window of another priority class, from its arrival on."""

    task: UUID
    priority_class: PriorityClass


TaskSteering = HoldTask | ReleaseTask | BoostTask | MoveTask


class PauseScope(OperatorCommand, frozen=True, tag_field="verb", tag="pause"):
    """Grant nothing of a model, a family, a tenant or the pool until it resumes."""

    kind: ScopeKind
    name: Name


class ResumeScope(OperatorCommand, frozen=True, tag_field="verb", tag="resume"):
    """Grant what was paused again."""

    kind: ScopeKind
    name: Name


class LimitModel(OperatorCommand, frozen=True, tag_field="verb", tag="limit"):
    """Bound how many attempts of a variant run at the same time."""

    variant: Name
    running: Limit
    """`NO_LIMIT`: as many as there are slots."""


PoolSteering = PauseScope | ResumeScope | LimitModel


class DrainDevice(OperatorCommand, frozen=True, tag_field="verb", tag="drain"):
    """Let a device finish what it runs and give it nothing new."""

    device: Name


class UndrainDevice(OperatorCommand, frozen=True, tag_field="verb", tag="undrain"):
    """Give a device work again."""

    device: Name


class LoadModel(OperatorCommand, frozen=True, tag_field="verb", tag="load"):
    """Load a variant on a device."""

    variant: Name
    device: str = ""
    """Empty: one that the leader chooses."""


class UnloadModel(OperatorCommand, frozen=True, tag_field="verb", tag="unload"):
    """Unload a variant from a device; queued work may have it loaded again."""

    variant: Name
    device: str = ""
    """Empty: every device that has it."""


DeviceSteering = DrainDevice | UndrainDevice | LoadModel | UnloadModel


class SetTenant(OperatorCommand, frozen=True, tag_field="verb", tag="set"):
    """Set a tenant's weight and limits; what is None stays as it is."""

    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    weight: Annotated[float, msgspec.Meta(ge=MIN_WEIGHT, le=MAX_WEIGHT)] | None = None
    running: Limit | None = None
    """`NO_LIMIT`: as many as there are slots."""
    queued: Limit | None = None
    """`NO_LIMIT`: as many as the pool takes."""


SteeringCommand = TaskSteering | PoolSteering | DeviceSteering | SetTenant


class TenantRow(Message, frozen=True):
    """What a tenant may take of the pool and what he has of it now."""

    tenant: str
    weight: float
    running: int
    """Leased attempts and suspect slots."""
    queued: int
    running_limit: int | None = None
    queued_limit: int | None = None
    device_s: float = 0.0
    """Device-seconds over weight, as the order between tenants counts them."""
    paused: str = ""
    """By whom and why; empty: he is not."""


class PauseRow(Message, frozen=True):
    """A scope of which nothing is granted."""

    kind: ScopeKind
    name: str
    by: str
    reason: str
    at: float
    position: int
