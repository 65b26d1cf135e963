"""What a snapshot keeps of what operators have asked for."""

from pointsman.contracts import events
from pointsman.contracts.message import Message
from pointsman.scheduler.domain.influences import Standing
from pointsman.scheduler.domain.residency.asks import Ask
from pointsman.scheduler.domain.steering.agreed import Steering


class SteeringFacts(Message, frozen=True):
    """`Steering` at one moment."""

    pauses: tuple[Standing[events.PoolPaused], ...]
    drains: dict[str, Standing[events.DrainStarted]]
    limits: dict[str, events.ModelLimited]
    tenants: dict[str, events.TenantSet]
    bounds: dict[str, events.TenantSet]
    asks: tuple[Ask, ...]


def steering_facts(steering: Steering) -> SteeringFacts:
    """What holds now."""
    return SteeringFacts(
        pauses=tuple(steering.pauses.values()),
        drains=steering.drains,
        limits=steering.limits,
        tenants=steering.tenants,
        bounds=steering.bounds,
        asks=tuple(steering.asks),
    )


def restore_steering(steering: Steering, facts: SteeringFacts) -> None:
    """Make what nobody has steered what `facts` say; devices are as they were then already."""
    steering.drains.update(facts.drains)
    steering.limits.update(facts.limits)
    for standing in facts.pauses:
        steering.evolve(standing.position, standing.event)
    for tenant in facts.tenants.values():
        steering.evolve(0, tenant)
    steering.bounds.update(facts.bounds)
    steering.asks.restore(facts.asks)
