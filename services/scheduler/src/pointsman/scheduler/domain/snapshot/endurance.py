"""What a snapshot keeps of what was seen of endpoints that fail or are slow."""

from collections import deque

from pointsman.contracts.message import Message
from pointsman.policy.breaker import WINDOW, Breaker, ProbeKey, Turn
from pointsman.scheduler.domain.pool import Pool


class BreakerFacts(Message, frozen=True):
    """A `Breaker` at one moment, and why it is open."""

    device: str
    variant: str
    window: tuple[str, ...]
    code: str
    until: float | None
    probe: ProbeKey | None
    turn: Turn | None
    reason: str


class EnduranceFacts(Message, frozen=True):
    """Breakers, batches that were too large, and what is left to spend on hedges."""

    breakers: tuple[BreakerFacts, ...]
    batch_limits: tuple[tuple[str, str, int], ...]
    """Device, variant and tasks of a call."""
    hedge_allowance: float


def endurance_facts(pool: Pool) -> EnduranceFacts:
    """What holds now."""
    breakers = pool.breakers
    return EnduranceFacts(
        breakers=tuple(
            BreakerFacts(
                device=id_[0],
                variant=id_[1],
                window=tuple(breaker.window),
                code=breaker.code,
                until=breaker.until,
                probe=breaker.probe,
                turn=breaker.turn,
                reason=breakers.reasons.get(id_, ""),
            )
            for id_, breaker in breakers.of.items()
        ),
        batch_limits=tuple((*id_, most) for id_, most in pool.batch_limits.items()),
        hedge_allowance=pool.attempts.hedges.allowance,
    )


def restore_endurance(pool: Pool, facts: EnduranceFacts) -> None:
    """Make a pool that has seen nothing fail what `facts` say."""
    for told in facts.breakers:
        id_ = told.device, told.variant
        breaker = pool.breakers.of[id_] = Breaker(
            window=deque(told.window, maxlen=WINDOW),
            code=told.code,
            until=told.until,
            probe=told.probe,
            turn=told.turn,
        )
        if told.until is not None or told.turn is not None:
            pool.breakers.troubled[id_] = breaker
        if told.until is not None:
            pool.breakers.reasons[id_] = told.reason
    pool.attempts.hedges.allowance = facts.hedge_allowance
    for device, variant, most in facts.batch_limits:
        pool.batch_limits[device, variant] = most
