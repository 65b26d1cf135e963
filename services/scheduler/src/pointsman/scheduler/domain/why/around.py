"""What stands in other streams about the time in which a task waited."""

from typing import Final, NamedTuple
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.scheduler.domain.why.runs import Run

AROUND: Final = frozenset(
    {
        events.PoolPaused,
        events.PoolResumed,
        events.ModelLimited,
        events.TenantSet,
        events.DrainStarted,
        events.DrainEnded,
        events.DeviceAttached,
        events.DeviceDetached,
        events.DeviceSuspended,
        events.DeviceResumed,
        events.ResidencyGranted,
        events.ResidencyChanged,
        events.ResidencyFailed,
        events.SlotHeld,
        events.BreakerOpened,
        events.BreakerClosed,
    }
)
"""Events of a pool, a tenant and devices that may have kept a task waiting."""


class Noted(NamedTuple):
    """An event of another stream, with its place there and in the log."""

    position: int
    version: int
    event: Decision


class Around(NamedTuple):
    """What was read about the waiting times of one task."""

    task: UUID
    noted: tuple[Noted, ...] = ()
    """In log order, up to the end of its last wait; of each stream those that `AROUND` names."""
    free_at: float = 0.0
    """When the last of the tasks that it depends on completed; infinite while one has not."""
    devices: int = 0
    """Devices that could have run it."""
    looked_at: int = 0
    """Those of them whose events were read."""
    runs: tuple[Run, ...] = ()
    """Attempts that ran meanwhile, where a limit may have kept it waiting."""
    read_from: int = 0
    """Of some of those devices nothing before this position was read; 0: nothing was left out."""
