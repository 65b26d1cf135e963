"""Events of what is loaded on a device; decided by the pool's leader, in the device's stream.

A device has a generation that each granted change raises. Nothing else is granted to a dedicated
device between `ResidencyGranted` and the `ResidencyChanged` or `ResidencyFailed` of its generation.
"""

from pointsman.contracts.events.devices import Residency
from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import Message


class ClassFigures(Message, frozen=True):
    """What the rule that chose a queue class compared; durations in seconds."""

    rule: str
    """`overdue`, `resident`, `late`, `backlog` or `room`; see `pointsman.policy.class_choice`."""
    family: str
    variants: tuple[str, ...]
    """The class: admissible variants, best first."""
    credit_s: float
    """What the device could spend on a displacing load."""
    backlog: int
    """Tasks of the class that wait."""
    holders: int
    """Devices that have a model of the class already."""
    begin_in_s: float
    """Until its head is late; negative by how much it is."""
    waited_s: float
    """How long the class has waited for a device."""
    bound_s: float
    """The bound on that wait at this moment."""
    unload_s: float = 0.0
    """Expected until what a dedicated device has is gone; paid for beside the load."""


class DeviceScore(Message, frozen=True):
    """How suitable a device was for a load, 0 to 1 each."""

    device: str
    score: float
    memory: float
    utilisation: float
    temperature: float | None
    affinity: float
    refused: str | None = None


class ResidencyGranted(Decision, frozen=True):
    """An executor is to unload and load models of a device, as a lease of its own."""

    device: str
    generation: int
    executor: str
    incarnation: str
    unload: tuple[str, ...] = ()
    """Variants, before the load."""
    load: str = ""
    """Variant; empty: nothing is loaded."""
    expected_s: float = 0.0
    """Until it is done: the unloads as far as they were ever measured, and the load."""
    expected_unload_s: float = 0.0
    """The part of it before the load."""
    timeout_s: float = 0.0
    """From acceptance by the holder."""
    cause: str = "queue"
    """`queue`, `operator`, `predicted`, `gang` or `idle`."""
    reason: str = ""
    """A sentence."""
    task: str = ""
    """The head of the class that it is for."""
    tenant: str = ""
    """Whose task that is: the load is charged to him."""
    by: str = ""
    """Who asked for it, if somebody did."""
    figures: ClassFigures | None = None
    scores: tuple[DeviceScore, ...] = ()
    """Devices that could have taken it, best first, the chosen one included."""
    samples: tuple[str, ...] = ()
    """Ids of the device samples that the scores rest on."""
    members: tuple[str, ...] = ()
    """Further devices that the instance takes."""


class ResidencyChanged(Decision, frozen=True):
    """The executor has done what was granted."""

    device: str
    generation: int
    residency: tuple[Residency, ...]
    """All that is loaded on the device now."""
    loaded: str = ""
    load_s: float = 0.0
    """Measured by the holder around the load."""
    unload_s: float = 0.0
    """Before the load, of all that was unloaded."""
    unloads_s: dict[str, float] | None = None
    """The same by variant; None: not measured one by one, and no later cost rests on it."""


class ResidencyFailed(Decision, frozen=True):
    """What was granted could not be done, wholly or in part."""

    device: str
    generation: int
    code: str
    message: str
    residency: tuple[Residency, ...] | None = None
    """All that is loaded on the device now; None: not known, as it was before."""
    retry_at: float = 0.0
    """The variant is not loaded on this device before."""


class SlotHeld(Decision, frozen=True):
    """A device stays free although a task waits that it could take.

    The task is expected to be served sooner by a device that has its model already; at `until` the
    device is looked at again, and none is kept free for the same head any more.
    """

    device: str
    family: str
    variants: tuple[str, ...]
    task: str
    """The head of the class, which waits."""
    until: float
    reason: str = ""
