"""Events of devices, models and pools; all decided by the pool's leader."""

from pointsman.contracts.device_mode import DeviceMode
from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import Message
from pointsman.contracts.parts import Merge


class Residency(Message, frozen=True):
    """A variant that is loaded on a device."""

    variant: str
    slots: int
    """Requests that it serves at the same time: instances x concurrent requests."""
    max_batch: int = 1
    """Tasks that one request may carry."""


class DeviceAttached(Decision, frozen=True):
    """An executor offers a device; an earlier incarnation of that executor is gone."""

    pool: str
    device: str
    executor: str
    incarnation: str
    endpoint: str
    """`grpc://host:port`, or `noop:` for the stand-in that runs nothing."""
    device_class: str
    """`cpu`, `gpu` or `noop`."""
    slots: int
    """Calls that the device runs at the same time, over all of its variants."""
    residency: tuple[Residency, ...]
    quiescent: bool = False
    """The engine was seen with nothing in flight, so slots of lost leases are free."""
    mode: DeviceMode = DeviceMode.FIXED
    memory_mib: float = 0.0
    """What models may take of its memory; 0: not known."""
    loadable: tuple[Residency, ...] = ()
    """Variants that its engine could load, as they would be."""


class DeviceDetached(Decision, frozen=True):
    """No executor speaks for the device any more; nothing is granted to it."""

    device: str
    reason: str


class DeviceSuspended(Decision, frozen=True):
    """The device does not serve at present; nothing is granted to it until it resumes."""

    device: str
    reason: str


class DeviceResumed(Decision, frozen=True):
    """A canary on the device answered as expected."""

    device: str
    quiescent: bool = False
    residency: tuple[Residency, ...] | None = None
    """What is loaded now; None: what was before."""


class SlotReleased(Decision, frozen=True):
    """A slot whose attempt had already ended in the log is really free."""

    device: str
    task: str
    attempt: int
    reason: str
    """`reported` or `run_deadline_over`."""


class ModelRegistered(Decision, frozen=True):
    """A variant may be used; facts come from the registry file."""

    variant: str
    family: str
    quality: float
    """0 to 1, measured."""
    memory_mib: float
    load_s: float
    slots: int
    service_s: float
    """Median run time at batch 1."""
    service_p99_s: float
    media_type: str
    """Of the result."""
    devices_per_instance: int = 1
    """Devices that one instance takes, all or none."""
    max_input_bytes: int = 0
    """Longer inputs do not fit into one call; 0: no limit of its own."""
    merge: Merge | None = None
    """How its family merges the results of parts; None: inputs of it are not split."""


class LeaderElected(Decision, frozen=True):
    """A scheduler leads the pool from here on; earlier epochs may not append."""

    pool: str
    epoch: int
    holder: str
