"""What operators and the fleet did while the tasks of a trace arrived: the simulation repeats it.

Times are seconds from the beginning of the trace; what happened before is negative.
"""

from enum import Enum, auto
from typing import NamedTuple


class DeviceState(Enum):
    """What becomes of a device at a moment."""

    SERVES = auto()
    """It takes tasks; one that was gone has nothing loaded."""
    REFUSES = auto()
    """It takes nothing new; what runs goes on."""
    SILENT = auto()
    """It does nothing more, and nobody knows yet: it is given tasks that do not end."""
    GONE = auto()
    """It has lost its model and what ran there, which waits again, and takes nothing."""


class DeviceTurns(NamedTuple):
    """A device, by its number, is in another state."""

    at: float
    device: int
    state: DeviceState


class ModelLimited(NamedTuple):
    """At most so many tasks of a model run at a time; 0: it is paused, None: as many as can."""

    at: float
    model: str
    running: int | None


class TenantLimited(NamedTuple):
    """The same of a tenant, and its share against others."""

    at: float
    tenant: str
    running: int | None
    weight: float


class TaskKept(NamedTuple):
    """A task, by its number, is held, or released."""

    at: float
    task: int
    held: bool


class PoolStops(NamedTuple):
    """Nothing begins any more for a reason, or that is over; other reasons may go on."""

    at: float
    why: str
    stops: bool


Circumstance = DeviceTurns | ModelLimited | TenantLimited | TaskKept | PoolStops
