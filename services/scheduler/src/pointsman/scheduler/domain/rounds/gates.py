"""What keeps a task, a variant or a device from being granted now, whatever the order says.

Every answer is a reason as the end of a sentence, or None. `taken` counts what the running round
has granted already and the pool has not folded yet. Asked for a task that could run, the gates
answer in this order: the pool, the class with its family, the tenant, the task, the device, the
variant.
"""

from collections.abc import Collection

from pointsman.contracts.events import ScopeKind
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.running import Running
from pointsman.scheduler.domain.tasks import ClassId, OpenTask


class Gates:
    """The gates of a pool at one moment."""

    def __init__(self, pool: Pool, at: float) -> None:
        self._pool = pool
        self._at = at
        self._steering = pool.steering
        self._counted: Running | None = None

    def pool_refused(self) -> str | None:
        """Why nothing may start at all."""
        paused_by = self._steering.pool_paused()
        return None if paused_by is None else f"pool {self._pool.name} is paused by {paused_by}"

    def class_refused(self, class_id: ClassId) -> str | None:
        """Why nothing of a queue class may start."""
        if not self._steering.pauses and not self._steering.limits:
            return None
        family, variants = class_id
        paused = self.family_paused(family)
        if paused is not None:
            return paused
        refused = [self.model_refused(variant) for variant in variants]
        return refused[0] if all(refused) else None

    def tenants(self) -> Collection[str]:
        """Tenants that `tenant_refused` may ever answer for."""
        paused = {name for kind, name in self._steering.pauses if kind is ScopeKind.TENANT}
        limited = (name for name, to in self._steering.tenants.items() if to.running is not None)
        return paused.union(limited)

    def tenant_refused(self, tenant: str, taken: int = 0) -> str | None:
        """Why nothing of a tenant may start; `taken` of his were granted in this round."""
        paused_by = self._steering.paused(ScopeKind.TENANT, tenant)
        if paused_by is not None:
            return f"tenant {tenant} is paused by {paused_by}"
        limit = self._steering.running_limit(tenant)
        if limit is None:
            return None
        running = self._running.of_tenant[tenant] + taken
        if running < limit:
            return None
        return f"tenant {tenant} has {running} attempt(s) running, at most {limit} may"

    def task_refused(self, task: OpenTask) -> str | None:
        """Why nothing of a task may start."""
        if task.retry_at > self._at:
            # Released by a clock that has been set back since: a replay would not release it.
            return "its next attempt is not due"
        if task.held:
            return f"it is held by {task.held}"
        whole = self._pool.parts.whole_of(task)
        return f"its whole is held by {whole.held}" if whole is not None and whole.held else None

    def family_paused(self, family: str) -> str | None:
        """Why nothing of a family may start."""
        paused_by = self._steering.paused(ScopeKind.FAMILY, family)
        return None if paused_by is None else f"family {family} is paused by {paused_by}"

    def model_paused(self, variant: str) -> str | None:
        """Why a variant may run nowhere, however many of it run."""
        paused_by = self._steering.paused(ScopeKind.MODEL, variant)
        return None if paused_by is None else f"{variant} is paused by {paused_by}"

    def model_refused(self, variant: str, taken: int = 0) -> str | None:
        """Why no further attempt of a variant may run; `taken` of it were granted already."""
        paused, limit = self.model_paused(variant), self._steering.limits.get(variant)
        if paused is not None or limit is None or limit.running is None:
            return paused
        running = self._running.of_variant[variant] + taken
        if running < limit.running:
            return None
        return f"{running} attempt(s) of {variant} run, at most {limit.running} may"

    def variant_refused(
        self, device: Device, variant: str, taken: int = 0, there: int = 0
    ) -> str | None:
        """Why a variant may not run on a device.

        `taken` attempts of it were granted already, and `there` calls on this device.
        """
        return self.model_refused(variant, taken) or self._pool.breakers.refused(
            device.name, variant, at=self._at, taken=there
        )

    def device_refused(self, device: Device) -> str | None:
        """Why nothing may start on a device."""
        if device.status is not DeviceStatus.READY:
            return f"device is {device.status}"
        if device.member_of:
            return f"the instance on {device.member_of} takes it as well"
        apart = [name for name in device.members if not self._serves(name)]
        if apart:
            return f"{apart[0]}, which its instance takes as well, does not serve"
        wrong = self._pool.influences.wrong_canary(device.name)
        # With nothing loaded no canary can be run, and none would ever come back well.
        if wrong is not None and device.residency:
            return wrong
        drained_by = self._steering.draining(device.name)
        return None if drained_by is None else f"{device.name} is drained by {drained_by}"

    def _serves(self, name: str) -> bool:
        device = self._pool.devices.get(name)
        return device is not None and device.status is DeviceStatus.READY

    @property
    def _running(self) -> Running:
        # Counted once and only where a limit asks for it: it is a look at every slot.
        if self._counted is None:
            self._counted = Running(self._pool.devices)
        return self._counted
