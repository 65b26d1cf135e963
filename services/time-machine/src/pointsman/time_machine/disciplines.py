"""A policy as the simulation asks it: which waiting task starts on which device."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from pointsman.policy.eligibility import Eligibility
from pointsman.time_machine.traces import TracedTask


class Begin(NamedTuple):
    """A task begins on a device, with a load first where another model is there."""

    device: int
    task: TracedTask
    loads: bool


class Loading(NamedTuple):
    """A device loads a model; what runs first is decided when that ends."""

    device: int
    load_s: float
    others: tuple[int, ...] = ()
    """Further devices that the model takes; the run is told of the first one."""


class Discipline(Protocol):
    """A policy as the simulation asks it; times are seconds from the beginning of the trace."""

    def arrived(self, task: TracedTask, now: float) -> None:
        """A task waits, perhaps again: its place is that of its arrival."""
        ...

    def loaded(self, device: int, load_s: float, now: float) -> None:
        """A load that began by itself has ended."""
        ...

    def ended(self, device: int, task: TracedTask, now: float) -> None:
        """A run has ended, and a slot is free."""
        ...

    def begins(self, now: float) -> Iterator[Begin | Loading]:
        """What begins now; devices and tasks are taken as soon as they are told."""
        ...

    def next_look(self, now: float) -> float | None:
        """When to ask again although nothing happens."""
        ...

    # -- what operators and the fleet do ---------------------------------------------------------

    @property
    def eligible(self) -> Eligibility:
        """How many tasks of each model and tenant may run at a time."""
        ...

    def weigh(self, tenant: str, weight: float) -> None:
        """A tenant has another weight from now on."""
        ...

    def withdrawn(self, task: TracedTask, now: float) -> bool:
        """Take a task out of the queue; false if it does not wait."""
        ...

    def serve(self, device: int, *, serves: bool) -> None:
        """A device takes tasks from now on, or none; what runs goes on."""
        ...

    def lose(self, device: int, now: float) -> Sequence[int]:
        """A device is gone with its model until it serves again.

        All devices on which something has ended with that: what ran there does not end by itself.
        """
        ...

    @property
    def expired(self) -> int:
        """Tasks that were answered without a run: their deadline could not be met."""
        ...
