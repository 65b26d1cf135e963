"""What a pool of dedicated devices decides at one moment."""

from typing import NamedTuple

import msgspec

from pointsman.policy.class_choice import ClassChoice
from pointsman.policy.hold import Hold
from pointsman.policy.queued_task import QueuedTask


class Start(msgspec.Struct, frozen=True, gc=False):
    """A task starts on a device that has its model, and why its class was chosen."""

    device: str
    task: QueuedTask
    choice: ClassChoice


class Load(NamedTuple):
    """A class gets devices: its model is loaded, and what runs first is chosen when that ends."""

    devices: tuple[str, ...]
    """Several where one instance of the model takes several; the first speaks for all."""
    task: QueuedTask
    """For whom it was decided; its tenant is charged."""
    choice: ClassChoice


class Drain(NamedTuple):
    """Devices begin nothing more until all of them are idle; then the class is loaded."""

    devices: tuple[str, ...]
    choice: ClassChoice
    since: float


class Assigned:
    """What was decided at one moment."""

    __slots__ = ("drains", "expired", "holds", "loads", "starts")

    def __init__(self) -> None:
        self.starts: list[Start] = []
        self.loads: list[Load] = []
        self.drains: list[Drain] = []
        self.holds: list[Hold] = []
        """A device that stays free although a task waits that it could take. What is said of one
        holds for every other free device of its size too: none of them has work of its own."""
        self.expired: list[QueuedTask] = []
        """Tasks that cannot meet their deadline any more; they are out of the queue."""
