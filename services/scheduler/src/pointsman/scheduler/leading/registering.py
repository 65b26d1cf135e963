"""What the files of operators say, recorded by whoever leads where it is new."""

from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.attachment import decide_models, decide_routing
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.ports import PolicySource, Registry, RoutingRules


async def register_files(
    pool: Pool,
    log: DecisionLog,
    registry: Registry,
    rules: RoutingRules,
    policy: PolicySource,
    clock: Clock,
) -> None:
    """Record what has changed in the files that operators write."""
    await register_policy(pool, log, policy, clock)
    await register_models(pool, log, registry, clock)
    await register_routing(pool, log, rules, clock)


async def register_policy(pool: Pool, log: DecisionLog, policy: PolicySource, clock: Clock) -> None:
    """Record what the policy is set to, if that is something else than before."""
    event = pool.policy.decide(
        policy.parameters, policy.source, pool.holder, at=clock.wall(), applied_to=pool.applied_to
    )
    if event is not None:
        version = pool.version_of(pool.policy.stream)
        await log.record_all([pool.policy.decided(event, version)])


async def register_models(pool: Pool, log: DecisionLog, registry: Registry, clock: Clock) -> None:
    """Record the variants whose registry entry is new or has changed."""
    models = registry.models(at=clock.wall(), applied_to=pool.applied_to)
    await log.record_all(decide_models(pool, models))


async def register_routing(pool: Pool, log: DecisionLog, rules: RoutingRules, clock: Clock) -> None:
    """Record the routing file if it has changed."""
    event = rules.event(pool=pool.name, at=clock.wall(), applied_to=pool.applied_to)
    await log.record_all(decide_routing(pool, event))
