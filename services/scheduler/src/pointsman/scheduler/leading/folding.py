"""The pool as the fold of the log, whoever appends to it."""

from collections.abc import Callable, Sequence
from typing import Final

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import Committed, EventStore
from pointsman.eventstore.reading import concerns, read_event
from pointsman.scheduler.domain.pool import Pool

_PAGE: Final = 1_000


class Folding:
    """Keeps a pool up with the log, from where the pool stands. Used from one event loop.

    An event that cannot be folded means that memory and log have parted: `on_broken` must end this
    service, which folds anew when it starts again.
    """

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        codec: EventCodec,
        *,
        on_broken: Callable[[Exception], None],
    ) -> None:
        self._pool = pool
        self._store = store
        self._codec = codec
        self._on_broken = on_broken
        self._concerns = concerns(codec.names(pool.types))
        self._held: list[Committed] | None = []
        self._end: Callable[[], None] | None = None

    async def start(self) -> None:
        """Return when the pool is at the head of the log; it then follows every commit.

        Raises what `read_event` raises: a pool whose log it cannot read must not be led.
        """
        # Heard of from here on, and held back until what is read has been folded: a page may be
        # older than a commit that is announced while it is read.
        self._end = await self._store.follow(self._committed)
        while page := await self._store.read(self._pool.applied_to, limit=_PAGE):
            for recorded in page:
                self._fold(recorded)
        held, self._held = self._held or [], None
        self._committed(held)

    async def stop(self) -> None:
        """Follow no more."""
        if self._end is not None:
            self._end()

    def _committed(self, committed: Sequence[Committed]) -> None:
        if self._held is not None:
            self._held.extend(committed)
            return
        try:
            for each in committed:
                if each.recorded.position > self._pool.applied_to:
                    self._fold_committed(each)
        except Exception as error:  # noqa: BLE001 - whatever it is, memory is wrong now
            self._on_broken(error)

    def _fold_committed(self, each: Committed) -> None:
        recorded = each.recorded
        if each.event is None:
            self._fold(recorded)
        else:
            self._pool.evolve(recorded.position, recorded.stream, recorded.version, each.event)

    def _fold(self, recorded: Recorded) -> None:
        if not self._concerns(recorded.type):
            # Of other services; no decision of a pool stands on it.
            self._pool.applied_to = recorded.position
            return
        event = read_event(self._codec, recorded)
        self._pool.evolve(recorded.position, recorded.stream, recorded.version, event)
