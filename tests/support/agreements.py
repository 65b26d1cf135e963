"""What operators have asked of a pool, as they remember it themselves."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pointsman.contracts.events import ScopeKind, TaskAccepted, TaskGranted, TaskHedged
from pointsman.contracts.steering import (
    NO_LIMIT,
    DrainDevice,
    HoldTask,
    LimitModel,
    PauseScope,
    ReleaseTask,
    ResumeScope,
    SetTenant,
    SteeringCommand,
    UndrainDevice,
)
from pointsman.scheduler.domain.running import Running
from tests.support.steering import limit, release, resume, set_tenant, undrain

TENANTS: Final = frozenset({"acme", "zeta"})


@dataclass(slots=True)
class Agreements:
    """Everything that was agreed to and not taken back."""

    held: set[UUID] = field(default_factory=set[UUID])
    paused: set[tuple[ScopeKind, str]] = field(default_factory=set[tuple[ScopeKind, str]])
    drained: set[str] = field(default_factory=set[str])
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Attempts that may run, by variant or tenant."""

    def note(self, command: SteeringCommand) -> None:
        match command:
            case PauseScope(kind=kind, name=name):
                self.paused.add((kind, name))
            case ResumeScope(kind=kind, name=name):
                self.paused.discard((kind, name))
            case DrainDevice(device=device):
                self.drained.add(device)
            case UndrainDevice(device=device):
                self.drained.discard(device)
            case HoldTask(task=task):
                self.held.add(task)
            case ReleaseTask(task=task):
                self.held.discard(task)
            case LimitModel(variant=name, running=running):
                self.limits[name] = running
            case SetTenant(tenant=name, running=running) if running is not None:
                self.limits[name] = running
            case _:
                pass

    def taken_back(self) -> list[SteeringCommand]:
        """What ends all of it."""
        limited = [name for name, most in self.limits.items() if most != NO_LIMIT]
        return [
            *(release(task) for task in self.held),
            *(resume(kind, name) for kind, name in self.paused),
            *(undrain(device) for device in self.drained),
            *(limit(name) for name in limited if name not in TENANTS),
            *(set_tenant(name, running=NO_LIMIT) for name in limited if name in TENANTS),
        ]

    def check_grant(
        self, task: UUID, accepted: TaskAccepted, grant: TaskGranted | TaskHedged
    ) -> None:
        """Nothing starts that somebody keeps back."""
        scopes = {
            (ScopeKind.POOL, accepted.pool),
            (ScopeKind.TENANT, accepted.tenant),
            (ScopeKind.FAMILY, accepted.family),
            (ScopeKind.MODEL, grant.variant),
        }
        assert task not in self.held
        assert grant.device not in self.drained
        assert not scopes & self.paused

    def check_limits(self, before: Running, after: Running) -> None:
        """No round passes a limit; what ran before it was set goes on."""
        for name, most in self.limits.items():
            running = after.of_variant[name] + after.of_tenant[name]
            ran = before.of_variant[name] + before.of_tenant[name]
            assert most == NO_LIMIT or running <= max(most, ran)
