"""What operators ask of a pool: to pause a part of it, or to bound a model."""

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.events import ModelLimited, PoolPaused, PoolResumed, ScopeKind, Steered
from pointsman.contracts.steering import NO_LIMIT, LimitModel, PauseScope, PoolSteering, ResumeScope
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.registered import unknown_family, unknown_model
from pointsman.scheduler.domain.steering.agreed import Agreed, Steer


def decide_pool_steering(pool: Pool, command: PoolSteering, *, at: float) -> Steer:
    """Take what an operator asks of the pool as a whole or of what it serves."""
    match command:
        case PauseScope():
            return _pause(pool, command, at)
        case ResumeScope():
            return _resume(pool, command, at)
        case LimitModel():
            return _limit(pool, command, at)


def agreed_for_pool(pool: Pool, detail: str, *recorded: Steered) -> Agreed:
    """Events of the pool's own stream."""
    return Agreed(pool.decided(stream_id("pool", pool.name), *recorded), detail)


def _pause(pool: Pool, command: PauseScope, at: float) -> Steer:
    unknown = _unknown(pool, command.kind, command.name)
    if unknown is not None:
        return unknown
    paused_by = pool.steering.paused(command.kind, command.name)
    if paused_by is not None:
        return Done(detail=f"{command.kind} {command.name} is paused already by {paused_by}")
    paused = PoolPaused(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        pool=pool.name,
        kind=command.kind,
        name=command.name,
    )
    detail = f"nothing of {command.kind} {command.name} is granted until it resumes"
    return agreed_for_pool(pool, detail, paused)


def _resume(pool: Pool, command: ResumeScope, at: float) -> Steer:
    # What was paused can be resumed whether it is known still or not.
    if pool.steering.paused(command.kind, command.name) is None:
        unknown = _unknown(pool, command.kind, command.name)
        return unknown or Done(detail=f"{command.kind} {command.name} is not paused")
    resumed = PoolResumed(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        pool=pool.name,
        kind=command.kind,
        name=command.name,
    )
    return agreed_for_pool(pool, f"{command.kind} {command.name} is granted again", resumed)


def _limit(pool: Pool, command: LimitModel, at: float) -> Steer:
    wanted = None if command.running == NO_LIMIT else command.running
    standing = pool.steering.limits.get(command.variant)
    if standing is None and command.variant not in pool.models:
        return unknown_model(command.variant)
    if wanted == (None if standing is None else standing.running):
        return Done(detail=f"{command.variant} has that bound already: {_bound(wanted)}")
    limited = ModelLimited(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        pool=pool.name,
        variant=command.variant,
        running=wanted,
    )
    return agreed_for_pool(pool, f"{command.variant} runs {_bound(wanted)}", limited)


def _bound(running: int | None) -> str:
    return "as often as there are slots" if running is None else f"at most {running} at a time"


def _unknown(pool: Pool, kind: ScopeKind, name: str) -> Rejected | None:
    match kind:
        case ScopeKind.MODEL if name not in pool.models:
            return unknown_model(name)
        case ScopeKind.FAMILY if not pool.models.family(name):
            return unknown_family(name)
        case ScopeKind.POOL if name != pool.name:
            return Rejected(
                code="unknown_pool",
                message=f"this scheduler leads pool {pool.name!r}, not {name!r}",
                next=f"name {pool.name}",
            )
        case _:
            # Tenants need not be known: whoever sends as one is one.
            return None
