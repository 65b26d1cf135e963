"""Becoming the leader of a pool: fold the whole log, take the lead, register the models."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import LeaderElected
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import AGGREGATE_TOPICS, EventCodec
from pointsman.eventstore.ports import Committed, EventStore, Leadership
from pointsman.runtime.clock import Clock
from pointsman.scheduler.domain.attachment import decide_models
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.ports import Registry

_PAGE: Final = 5_000

_log = structlog.get_logger(__name__)


async def fold(pool: Pool, store: EventStore, codec: EventCodec) -> None:
    """Bring a pool up to the head of the log; raises what `EventCodec.decode` raises."""
    while page := await store.read(pool.applied_to, limit=_PAGE):
        for item in page:
            if item.type in AGGREGATE_TOPICS:
                pool.applied_to = item.position
                continue
            event = codec.decode(item.type, bytes(item.data))
            pool.evolve(item.position, item.stream, item.version, event)


class _Commits:
    """Commits of this process, held back until what was read has been folded.

    Other services append to the same log meanwhile: a page may be older than a commit that is
    heard of while it is read.
    """

    def __init__(self, pool: Pool, on_broken: Callable[[Exception], None]) -> None:
        self._pool = pool
        self._on_broken = on_broken
        self._held: list[Committed] | None = []

    def take(self, committed: Sequence[Committed]) -> None:
        """Fold them, each once and in log order."""
        if self._held is not None:
            self._held.extend(committed)
            return
        try:
            for item in committed:
                recorded = item.recorded
                if recorded.position > self._pool.applied_to:
                    self._pool.evolve(
                        recorded.position, recorded.stream, recorded.version, item.event
                    )
        except Exception as error:  # noqa: BLE001 - whatever it is, memory is wrong now
            self._on_broken(error)

    def release(self) -> None:
        """Everything before them is folded."""
        held, self._held = self._held or [], None
        self.take(held)


async def take_lead(
    pool: Pool,
    store: EventStore,
    codec: EventCodec,
    *,
    holder: str,
    clock: Clock,
    on_broken: Callable[[Exception], None],
    on_end: Callable[[Callable[[], None]], None],
) -> DecisionLog:
    """Lead the pool; from here on every commit of this process is folded as it happens.

    An event that cannot be folded means that memory and log have parted: `on_broken` must end
    this service, which folds anew when it starts again. `on_end` is given what ends the folding.
    """
    await fold(pool, store, codec)
    commits = _Commits(pool, on_broken)
    on_end(store.on_commit(commits.take))
    epoch = await store.lead(pool.name, holder)
    await fold(pool, store, codec)
    commits.release()
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
