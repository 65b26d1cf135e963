"""What else a pool's decisions stood on: operators, the ladder, ratings, failures, tenants."""

from typing import TypedDict

from pointsman.contracts.events import ScopeKind
from pointsman.scheduler.domain.influences import EventT, Standing
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.running import Running
from pointsman.scheduler.domain.steering.agreed import said


class Stands(TypedDict):
    """Something that holds until a later event, and the event that it comes from."""

    what: str
    because: str
    position: int


class Tenant(TypedDict):
    """What a tenant had and may have."""

    tenant: str
    waiting: int
    running: int
    weight: float
    device_s: float
    """Device-seconds over weight, as the order between tenants counts them."""
    running_limit: int | None
    waiting_limit: int | None
    paused: str


def standing_of(pool: Pool) -> list[Stands]:
    """Pauses, drains, the ladder, fallbacks, ratings, canaries; in the order of the log."""
    influences, steering = pool.influences, pool.steering
    found: list[Stands] = []
    if influences.standing_level is not None:
        level = influences.standing_level
        found.append(_stands(f"level {level.event.level}", level.event.reason, level))
    if influences.standing_boost is not None:
        boost = influences.standing_boost
        classes = ", ".join(boost.event.classes)
        found.append(
            _stands(
                f"{classes} due {boost.event.boost_s:g} s earlier",
                f"{boost.event.completion_rate:.0%} of the tasks complete",
                boost,
            )
        )
    found += [
        _stands(f"{variant} is passed over", f"{each.event.failures} failures", each)
        for variant, each in influences.fallbacks.items()
    ]
    found += [
        _stands(f"{family} prefers {', '.join(each.event.order)}", each.event.reason, each)
        for family, each in influences.preferences.items()
    ]
    found += [
        _stands(f"{device} answers its canary wrongly", each.event.detail, each)
        for device, each in influences.canaries.items()
    ]
    found += [
        _stands(f"{kind} {name} is paused", said(each.event), each)
        for (kind, name), each in steering.pauses.items()
    ]
    found += [
        _stands(f"{device} is drained", said(each.event), each)
        for device, each in steering.drains.items()
    ]
    return sorted(found, key=lambda each: each["position"])


def breakers_of(pool: Pool) -> list[str]:
    """Breakers that are not closed, as sentences."""
    said_of = (
        pool.breakers.words(device, variant) for device in pool.devices for variant in pool.models
    )
    return [words for words in said_of if words is not None]


def tenants_of(pool: Pool) -> list[Tenant]:
    """Tenants with settings, work, or a count of what they had."""
    steering, counters, running = pool.steering, pool.waiting.counters, Running(pool.devices)
    waiting = {tenant for tenant, count in pool.queued_of.items() if count}
    counted = {name for name, device_s in counters.totals[0] if device_s}
    return [
        {
            "tenant": name,
            "waiting": pool.queued_of[name],
            "running": running.of_tenant[name],
            "weight": steering.weight(name),
            "device_s": round(counters.of(name), 6),
            "running_limit": steering.running_limit(name),
            "waiting_limit": steering.queued_limit(name),
            "paused": steering.paused(ScopeKind.TENANT, name) or "",
        }
        for name in sorted({*steering.tenants, *waiting, *running.of_tenant, *counted})
    ]


def _stands(what: str, because: str, standing: Standing[EventT]) -> Stands:
    return {"what": what, "because": because, "position": standing.position}
