"""What operators ask of tasks, devices, models, tenants and pools, as the pool's leader takes it.

Each names its author and his reason. Those of a task stand in its stream, a drain in the
device's, a tenant's settings in the tenant's stream of this pool, all others in the pool's stream.
"""

from enum import StrEnum

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import PriorityClass


class RekeyKind(StrEnum):
    """What an operator changed of a task's place in the order."""

    BOOST = "boost"
    MOVE = "move"


class ScopeKind(StrEnum):
    """What can be paused as a whole."""

    MODEL = "model"
    FAMILY = "family"
    TENANT = "tenant"
    POOL = "pool"


class Steered(Decision, frozen=True):
    """What every decision carries that an operator asked for."""

    by: str
    reason: str


class TaskHeld(Steered, frozen=True):
    """The task is not granted until it is released.

    It keeps its place, and its deadline goes on. An attempt that runs goes on as well: the hold is
    for the next one.
    """


class TaskReleased(Steered, frozen=True):
    """The task may be granted again."""


class TaskRekeyed(Steered, frozen=True):
    """The task has another place in the order; of a granted one, its next attempt."""

    kind: RekeyKind
    priority_class: PriorityClass
    """Its class from now on; the class that it was accepted with stays in `task.accepted`."""
    boost_s: float
    """How much earlier it is due than its class alone says, in place of any earlier boost."""
    key: float
    """Its virtual deadline from now on."""
    due_s: float | None = None
    """How soon after its arrival its class is due; None: as by default."""
    floor_s: float | None = None
    """How soon at the earliest; None: as by default."""
    places: tuple[int, int] | None = None
    """Its place among the waiting tasks of its class, from 1, before and after; None: it stood in
    no queue."""


class PoolPaused(Steered, frozen=True):
    """Nothing of a scope is granted or loaded until it resumes; running work goes on."""

    pool: str
    kind: ScopeKind
    name: str


class PoolResumed(Steered, frozen=True):
    """A paused scope is granted again."""

    pool: str
    kind: ScopeKind
    name: str


class ModelLimited(Steered, frozen=True):
    """At most so many attempts of a variant run at the same time in this pool."""

    pool: str
    variant: str
    running: int | None = None
    """Leased attempts and suspect slots; None: as many as there are slots."""


class ResidencyAsked(Steered, frozen=True):
    """A variant is to be loaded on a device or unloaded from it.

    Open until the device has it (or has it no more), until a load or unload that was granted for
    it has failed, or until the opposite is asked for.
    """

    pool: str
    variant: str
    load: bool
    """False: unload."""
    device: str = ""
    """Empty: a device that the leader chooses; an unload names its device."""


class DrainStarted(Steered, frozen=True):
    """Nothing new is granted to a device or loaded on it; what runs there ends."""

    device: str


class DrainEnded(Steered, frozen=True):
    """A device takes work again."""

    device: str


class TenantSet(Steered, frozen=True):
    """What a tenant may take of a pool from now on; what is not set is as before any setting."""

    pool: str
    tenant: str
    weight: float = 1.0
    """Its share against others: a device-second counts `1 / weight`."""
    running: int | None = None
    """Leased attempts and suspect slots at the same time; None: as many as there are slots."""
    queued: int | None = None
    """Tasks that wait; None: as many as the pool takes."""
