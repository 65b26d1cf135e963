"""A device as the choice of a class sees it, and the one of the simulation."""

from collections.abc import Collection, Hashable
from typing import Protocol

import msgspec

from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.swap_credit import SwapCredit


class ServingDevice(Protocol):
    """What a choice needs to know of a device; times are seconds since the epoch."""

    @property
    def name(self) -> str:
        """Unique in the pool."""
        ...

    @property
    def residents(self) -> Collection[str]:
        """Variants that are loaded, or are being loaded."""
        ...

    @property
    def healthy(self) -> bool:
        """Whether waiting for it makes sense: it serves, and is not about to lose its model."""
        ...

    @property
    def begun_at(self) -> float | None:
        """When the oldest of its calls began, or will after the load; None with a free slot."""
        ...

    @property
    def loading(self) -> bool:
        """Whether its load has not ended, however long ago that was expected."""
        ...

    @property
    def credit(self) -> SwapCredit:
        """What it may spend on displacing loads."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether nothing has run on it since its last load."""
        ...


class Run(msgspec.Struct, frozen=True, gc=False):
    """A task that runs on a device."""

    task: QueuedTask
    since: float
    expected_s: float
    """What its tenant was charged for it."""


class DedicatedDevice:
    """A simulated device that has one model at a time."""

    __slots__ = (
        *("attached", "credit", "followers", "follows", "fresh", "loads_until", "memory_mib"),
        *("most_slots", "name", "residents", "runs", "serves", "slots", "used_at", "waits_as"),
    )

    loading = False
    """Never later than expected: `begun_at` says when its load ends."""

    def __init__(
        self,
        name: str,
        slots: int = 1,
        credit: SwapCredit | None = None,
        memory_mib: float = 0.0,
    ) -> None:
        self.name = name
        self.most_slots = slots
        """Tasks that it may run at a time, with a model that serves as many."""
        self.slots = slots
        """Tasks that it runs at a time, with the model that it has."""
        self.memory_mib = memory_mib
        """0: not known, so that everything fits."""
        self.residents: tuple[str, ...] = ()
        self.runs: dict[int, Run] = {}
        """By the number of the task, in the order in which they began."""
        self.loads_until: float | None = None
        """When the load that goes on is expected to end."""
        self.used_at = float("-inf")
        """When it last became free."""
        self.fresh = False
        self.serves = True
        """Whether it takes tasks; what runs goes on."""
        self.attached = True
        self.waits_as: Hashable | None = None
        """The class that it takes nothing for: until it is empty, or its gang is complete."""
        self.followers: tuple[DedicatedDevice, ...] = ()
        """Those that have the other parts of its model."""
        self.follows: DedicatedDevice | None = None
        """The one whose model it has a part of."""
        self.credit = credit or SwapCredit()

    @property
    def resident(self) -> str | None:
        """The variant that it has."""
        return self.residents[0] if self.residents else None

    @property
    def idle(self) -> bool:
        """Whether nothing runs on it and nothing is being loaded."""
        return not self.runs and self.loads_until is None

    @property
    def free(self) -> bool:
        """Whether it may begin something."""
        return (
            self.serves
            and self.waits_as is None
            and self.loads_until is None
            and len(self.runs) < self.slots
        )

    @property
    def healthy(self) -> bool:
        """As in `ServingDevice`."""
        return self.serves and self.waits_as is None

    @property
    def begun_at(self) -> float | None:
        """As in `ServingDevice`."""
        if self.loads_until is not None:
            return self.loads_until
        if len(self.runs) < self.slots:
            return None
        return next(iter(self.runs.values())).since
