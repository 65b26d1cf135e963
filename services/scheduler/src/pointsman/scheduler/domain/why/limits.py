"""Which limit keeps a task back now, who set it, and whose attempts have used it up."""

from collections.abc import Callable, Iterator

from pointsman.contracts.events import ModelLimited, ScopeKind, TenantSet
from pointsman.scheduler.domain.devices import Slot
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.steering.steered_tasks import said
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why.words import clock, named


def kept_back_by(pool: Pool, gates: Gates, task: OpenTask) -> str | None:
    """The pause or limit that lets nothing of its class or tenant start; None: none does."""
    if gates.class_refused(task.class_id) is not None:
        family, variants = task.class_id
        return gates.family_paused(family) or model_kept_back(pool, gates, variants[0])
    return _tenant_kept_back(pool, gates, task.tenant)


def model_kept_back(pool: Pool, gates: Gates, variant: str) -> str | None:
    """The pause or limit that lets no further attempt of a variant start; None: none does."""
    refused, limit = gates.model_refused(variant), pool.steering.limits.get(variant)
    if refused is None or limit is None or gates.model_paused(variant) is not None:
        return refused
    return _told(pool, refused, limit, lambda slot: slot.variant == variant)


def _tenant_kept_back(pool: Pool, gates: Gates, tenant: str) -> str | None:
    refused, limit = gates.tenant_refused(tenant), pool.steering.bounds.get(tenant)
    paused = pool.steering.paused(ScopeKind.TENANT, tenant) is not None
    if refused is None or limit is None or paused:
        return refused
    return _told(pool, refused, limit, lambda slot: slot.tenant == tenant)


def _told(
    pool: Pool, refused: str, limit: ModelLimited | TenantSet, counts: Callable[[Slot], bool]
) -> str:
    running = [words for _, words in sorted(_running(pool, counts))]
    return f"{refused} (set by {said(limit)})" + (f": {named(running)}" if running else "")


def _running(pool: Pool, counts: Callable[[Slot], bool]) -> Iterator[tuple[float, str]]:
    """The attempts that count, by their beginning."""
    for device in pool.devices.values():
        for how, slots in (("since", device.held), ("perhaps still, since", device.suspect)):
            for (task, _), slot in slots.items():
                if counts(slot):
                    words = f"task {task} on {device.name} {how} {clock(slot.since)}"
                    yield slot.since, words
