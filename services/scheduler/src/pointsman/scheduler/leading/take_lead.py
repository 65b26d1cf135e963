"""Becoming the leader of a pool: fold the whole log, take the lead, register the models."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from pointsman.contracts.events import LeaderElected
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import Committed, EventStore, Leadership
from pointsman.scheduler.domain.attachment import decide_models
from pointsman.scheduler.domain.decided import Decided
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.ports import Clock, Registry

_PAGE: Final = 5_000

_log = structlog.get_logger(__name__)


async def fold(pool: Pool, store: EventStore, codec: EventCodec) -> None:
    """Bring a pool up to the head of the log; raises what `EventCodec.decode` raises."""
    while page := await store.read(pool.applied_to, limit=_PAGE):
        for item in page:
            event = codec.decode(item.type, bytes(item.data))
            pool.evolve(item.position, item.stream, item.version, event)


async def take_lead(
    pool: Pool,
    store: EventStore,
    codec: EventCodec,
    *,
    holder: str,
    clock: Clock,
    on_broken: Callable[[Exception], None],
) -> DecisionLog:
    """Lead the pool; from here on every commit of this process is folded as it happens.

    An event that cannot be folded means that memory and log have parted: `on_broken` must end
    the process, which folds anew when it starts again.
    """
    await fold(pool, store, codec)
    epoch = await store.lead(pool.name, holder)

    def take(committed: Sequence[Committed]) -> None:
        try:
            for item in committed:
                recorded = item.recorded
                pool.evolve(recorded.position, recorded.stream, recorded.version, item.event)
        except Exception as error:  # noqa: BLE001 - whatever it is, memory is wrong now
            on_broken(error)

    store.on_commit(take)
    log = DecisionLog(store, codec, Leadership(pool.name, epoch))
    stream = stream_id("pool", pool.name)
    elected = LeaderElected(
        at=clock.wall(), applied_to=pool.applied_to, pool=pool.name, epoch=epoch, holder=holder
    )
    await log.record(Decided(stream, pool.version_of(stream), (elected,)))
    _log.info("leading", pool=pool.name, epoch=epoch, position=pool.applied_to)
    return log


async def register_models(pool: Pool, log: DecisionLog, registry: Registry, clock: Clock) -> None:
    """Record the variants whose registry entry is new or has changed."""
    models = registry.models(at=clock.wall(), applied_to=pool.applied_to)
    await log.record_all(decide_models(pool, models))
