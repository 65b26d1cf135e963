"""Tenants: what each may take of a pool, and what an operator sets of that."""

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.events import TenantSet
from pointsman.contracts.refusals import TENANT_QUEUE_FULL
from pointsman.contracts.steering import NO_LIMIT, SetTenant
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.steering.agreed import Agreed, Steer


def decide_tenant(pool: Pool, command: SetTenant, *, at: float) -> Steer:
    """Set a tenant's weight and limits; what the command leaves out stays."""
    steering, tenant = pool.steering, command.tenant
    before = steering.weight(tenant), steering.running_limit(tenant), steering.queued_limit(tenant)
    weight = before[0] if command.weight is None else command.weight
    running, queued = _limit(command.running, before[1]), _limit(command.queued, before[2])
    told = f"tenant {command.tenant}: {_words(weight, running, queued)}"
    if (weight, running, queued) == before:
        return Done(detail=f"{told}, as before")
    set_to = TenantSet(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        pool=pool.name,
        tenant=command.tenant,
        weight=weight,
        running=running,
        queued=queued,
    )
    stream = stream_id("tenant", f"{pool.name}/{command.tenant}")
    return Agreed(pool.decided(stream, set_to, tenant=command.tenant), told)


def queue_full(pool: Pool, tenant: str) -> Rejected | None:
    """Refuse a task of a tenant that has as many waiting as it may have.

    Submissions that are decided while others are on their way to the log do not see those: the
    limit may be passed by as many.
    """
    limit = pool.steering.queued_limit(tenant)
    if limit is None or pool.queued_of[tenant] < limit:
        return None
    return Rejected(
        code=TENANT_QUEUE_FULL,
        message=f"{pool.queued_of[tenant]} tasks of tenant {tenant} wait in pool {pool.name}, at "
        f"most {limit} may",
        next="send it again when some have started; `pointsman tenant ls` shows the limits",
    )


def _limit(asked: int | None, before: int | None) -> int | None:
    if asked is None:
        return before
    return None if asked == NO_LIMIT else asked


def _words(weight: float, running: int | None, queued: int | None) -> str:
    runs = "any number" if running is None else f"at most {running}"
    waits = "any number" if queued is None else f"at most {queued}"
    return f"weight {weight:g}, {runs} running, {waits} waiting"
