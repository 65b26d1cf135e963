"""What operators have asked of a pool and what holds of it, folded from the log."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pointsman.contracts import events
from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision, ScopeKind
from pointsman.scheduler.domain.fleet import Devices
from pointsman.scheduler.domain.influences import Standing
from pointsman.scheduler.domain.residency.asks import Asks
from pointsman.scheduler.domain.steering.steered_tasks import SteeredTasks, said
from pointsman.scheduler.domain.waiting import Waiting

Scope = tuple[ScopeKind, str]
"""What is paused, by kind and name."""


class Agreed(NamedTuple):
    """What an operator asked for, decided; `detail` is what he is told after the commit."""

    decided: Decided
    detail: str


Steer = Agreed | Done | Rejected
"""A command of an operator is taken, has nothing left to do, or is refused."""


class Steering:
    """Pauses, drains, limits of models, settings of tenants and asked loads of one pool."""

    def __init__(self, pool: str, devices: Devices, waiting: Waiting) -> None:
        self._pool = pool
        self._devices = devices
        self._waiting = waiting
        self._tasks: Final = SteeredTasks(waiting)
        self.pauses: dict[Scope, Standing[events.PoolPaused]] = {}
        self.drains: dict[str, Standing[events.DrainStarted]] = {}
        """By device."""
        self.limits: dict[str, events.ModelLimited] = {}
        """By variant; those without a bound are not here."""
        self.tenants: dict[str, events.TenantSet] = {}
        """By name; the others have the defaults of `TenantSet`."""
        self.bounds: dict[str, events.TenantSet] = {}
        """By tenant, what last changed how many of its attempts may run."""
        self.asks: Final = Asks(devices)
        self._changes: Final = self._change_table()

    @property
    def types(self) -> frozenset[type[Decision]]:
        """Events that change anything here; all stand in streams that are not a task's."""
        return frozenset(self._changes)

    @property
    def of_tasks(self) -> Mapping[type[Decision], Callable[..., None]]:
        """Changes of an open task, by the event that tells of them."""
        return {
            events.TaskHeld: self._tasks.held,
            events.TaskReleased: self._tasks.released,
            events.TaskRekeyed: self._tasks.rekeyed,
        }

    def evolve(self, position: int, event: Decision) -> None:
        """Take one committed event."""
        self._changes[type(event)](event, position)

    def paused(self, kind: ScopeKind, name: str) -> str | None:
        """Who paused a scope and why, None if nobody did."""
        standing = self.pauses.get((kind, name))
        return None if standing is None else said(standing.event)

    def pool_paused(self) -> str | None:
        """Who paused the pool and why, None if nobody did."""
        return self.paused(ScopeKind.POOL, self._pool)

    def draining(self, device: str) -> str | None:
        """Who drains a device and why, None if nobody does."""
        standing = self.drains.get(device)
        return None if standing is None else said(standing.event)

    def running_limit(self, tenant: str) -> int | None:
        """At most so many attempts of a tenant run at the same time; None: no limit."""
        settings = self.tenants.get(tenant)
        return None if settings is None else settings.running

    def queued_limit(self, tenant: str) -> int | None:
        """At most so many tasks of a tenant wait; None: no limit."""
        settings = self.tenants.get(tenant)
        return None if settings is None else settings.queued

    def weight(self, tenant: str) -> float:
        """The share of a tenant against others."""
        settings = self.tenants.get(tenant)
        return 1.0 if settings is None else settings.weight

    def _change_table(self) -> dict[type[Decision], Callable[..., None]]:
        return {
            events.PoolPaused: self._paused,
            events.PoolResumed: self._resumed,
            events.ModelLimited: self._limited,
            events.TenantSet: self._tenant_set,
            events.DrainStarted: self._drain_started,
            events.DrainEnded: self._drain_ended,
            events.ResidencyAsked: self._asked,
        }

    def _paused(self, event: events.PoolPaused, position: int) -> None:
        if event.pool == self._pool:
            self.pauses[event.kind, event.name] = Standing(event, position)
            self._serve_models(event)

    def _resumed(self, event: events.PoolResumed, _: int) -> None:
        if event.pool == self._pool:
            self.pauses.pop((event.kind, event.name), None)
            self._serve_models(event)

    def _limited(self, event: events.ModelLimited, _: int) -> None:
        if event.pool != self._pool:
            return
        if event.running is None:
            self.limits.pop(event.variant, None)
        else:
            self.limits[event.variant] = event

    def _tenant_set(self, event: events.TenantSet, _: int) -> None:
        if event.pool == self._pool:
            if event.running != self.running_limit(event.tenant):
                self.bounds[event.tenant] = event
            self.tenants[event.tenant] = event
            self._waiting.counters.weigh(event.tenant, event.weight)

    def _drain_started(self, event: events.DrainStarted, position: int) -> None:
        self.drains[event.device] = Standing(event, position)
        self._serve(event, draining=True)

    def _drain_ended(self, event: events.DrainEnded, _: int) -> None:
        self.drains.pop(event.device, None)
        self._serve(event, draining=False)

    def _asked(self, event: events.ResidencyAsked, position: int) -> None:
        if event.pool == self._pool:
            self.asks.take(event, position)

    def _serve_models(self, event: events.PoolPaused | events.PoolResumed) -> None:
        if event.kind is not ScopeKind.MODEL:
            return
        # A class whose only loaded variant is paused has no device: another variant may be loaded.
        paused = frozenset(name for kind, name in self.pauses if kind is ScopeKind.MODEL)
        self._devices.paused = paused
        for device in self._devices.values():
            device.paused = paused
            self._waiting.classes.take_notice(device, event.at)

    def _serve(self, event: events.DrainStarted | events.DrainEnded, *, draining: bool) -> None:
        device = self._devices.get(event.device)
        if device is not None:
            device.draining = draining
            self._waiting.classes.take_notice(device, event.at)
