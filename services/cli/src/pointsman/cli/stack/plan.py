"""What a local stack is to consist of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS
from pointsman.cli.stack.project import Project
from pointsman.contracts.device_mode import DeviceMode

DEFAULT_TENANT: Final = "default"
POOL: Final = "main"
EXECUTOR: Final = "executor-1"
GUESTS: Final = tuple(f"executor-{number}" for number in range(2, 6))
"""Executors that may join while the stack runs: their logins are there from its start."""
SERVICES: Final = "services"
"""The part that runs all services in one process."""
POSTGRES: Final = "postgres"
STANDBY: Final = "scheduler-2"
"""The part that takes over when the scheduler is gone."""

CANARY_MODEL: Final = "identity"

NOOP: Final = "noop:"
"""Endpoint of the executor's stand-in."""

DeviceKind = Literal["triton", "attached", "noop"]


@dataclass(frozen=True, slots=True)
class DeviceTerms:
    """How devices are used."""

    mode: DeviceMode = DeviceMode.FIXED
    """Who decides what they have loaded; if it is the leader, they start without a model."""
    memory_mib: float = 0.0
    """What models may take of each device's memory, where the leader loads; 0: not known."""


@dataclass(frozen=True, slots=True)
class StackPlan:
    """A stack of one group of pools, each with one executor; everything listens on loopback.

    `attach` names Triton servers that run already (`grpc://host:port`), then none is started.
    `noop` replaces Triton with the executor's stand-in, which runs no model. `environment` is added
    to what the services inherit.
    """

    data: Path
    project: Project
    devices: int = 1
    """Of each pool."""
    pools: int = 1
    attach: tuple[str, ...] = ()
    tenants: tuple[str, ...] = (DEFAULT_TENANT,)
    noop: bool = False
    services: tuple[str, ...] = (SCHEDULER, *WATCHERS)
    """The scheduler is always among them."""
    processes: bool = False
    """A process for each service, on PostgreSQL; else one process for all, on SQLite."""
    standby: bool = False
    """A second scheduler; needs `processes`."""
    postgres: str | None = field(default=None, repr=False)
    """DSN of a PostgreSQL that runs already, with its password; None: one of our own is started."""
    terms: DeviceTerms = DeviceTerms()
    policy: Path | None = None
    """What the policy is set to; None: its defaults."""
    slots: int | None = None
    """Calls that each device runs at the same time; None: the executor's default."""
    max_batch: int | None = None
    """Tasks of one call at the most; None: the executor's default."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def service_parts(self) -> dict[str, str]:
        """Which service each process of ours runs, by the name of its part, in order of start."""
        leaders = dict.fromkeys(self.pool_of_part, SCHEDULER)
        return leaders | {name: name for name in self.services}

    @property
    def pool_of_part(self) -> dict[str, str]:
        """Which pool each scheduler leads, or stands by for, by the name of its part."""
        parts: dict[str, str] = {}
        for pool in self.pool_names:
            parts[SCHEDULER if pool == POOL else f"{SCHEDULER}-{pool}"] = pool
            if self.standby:
                parts[STANDBY if pool == POOL else f"{STANDBY}-{pool}"] = pool
        return parts

    @property
    def pool_names(self) -> tuple[str, ...]:
        """The pools of the group; each has a leader and an executor of its own."""
        return (POOL, *(f"pool-{number}" for number in range(2, self.pools + 1)))

    @property
    def executors(self) -> dict[str, str]:
        """Which pool each executor belongs to, by its name."""
        further = {f"executor-{pool}": pool for pool in self.pool_names[1:]}
        return {EXECUTOR: POOL, **further}

    @property
    def models_at_start(self) -> tuple[str, ...]:
        """What each Triton of ours loads by itself."""
        names = self.project.model_names()
        if self.terms.mode is DeviceMode.FIXED:
            return names
        # The executor runs its canaries on it, beside whatever the leader loads.
        return tuple(name for name in names if name == CANARY_MODEL)

    @property
    def kind(self) -> DeviceKind:
        if self.noop:
            return "noop"
        return "attached" if self.attach else "triton"

    @property
    def device_names(self) -> tuple[str, ...]:
        """In the order of their endpoints; those of the first pool come first."""
        prefix = {"triton": "cpu", "attached": "attached", "noop": "noop"}[self.kind]
        count = len(self.attach) or self.devices * self.pools
        return tuple(f"{prefix}-{index}" for index in range(count))

    def pool_of_device(self, device: str) -> str:
        """The pool that a device belongs to."""
        names = self.device_names
        return self.pool_names[names.index(device) * self.pools // len(names)]
