"""The fold of this service's own events: where the ladder stands, fallbacks, and the latest."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from pointsman.contracts.degradation import HistoryRow
from pointsman.contracts.events import (
    Decision,
    FallbackEnded,
    FallbackStarted,
    LevelChanged,
    OverrideEnded,
    OverrideSet,
)
from pointsman.contracts.recorded import Recorded
from pointsman.degradation.domain.fallbacks import Fallbacks
from pointsman.degradation.domain.stand import BOTTOM, Stand

TOPICS: Final = (
    "degradation.level_changed.v1",
    "degradation.override_set.v1",
    "degradation.override_ended.v1",
    "degradation.fallback_started.v1",
    "degradation.fallback_ended.v1",
)

MAX_HISTORY: Final = 1000


class Record:
    """Everything that is remembered of one pool; `evolve` gets its events once, in log order."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self.stand: Stand = BOTTOM
        self.fallbacks = Fallbacks(pool)
        self._history: deque[HistoryRow] = deque(maxlen=MAX_HISTORY)

    def evolve(self, recorded: Recorded, event: Decision) -> None:
        match event:
            case LevelChanged() | OverrideSet() | OverrideEnded():
                self.stand = self.stand.evolve(event)
            case FallbackStarted() | FallbackEnded():
                self.fallbacks.evolve(event)
            case _:
                return
        row = HistoryRow(
            pool=self.pool,
            position=recorded.position,
            at=event.at,
            topic=recorded.type,
            what=_sentence(event),
            event=recorded.data,
        )
        self._history.append(row)

    def history(self, limit: int) -> Sequence[HistoryRow]:
        """Newest first."""
        rows = list(reversed(self._history))
        return rows[: min(max(limit, 1), MAX_HISTORY)]


class Records(dict[str, Record]):
    """Those of all pools, by pool; `evolve` gets each event once, in log order."""

    def of(self, pool: str) -> Record:
        """The record of a pool, empty if nothing was decided about it."""
        record = self.get(pool)
        if record is None:
            record = self[pool] = Record(pool)
        return record

    def evolve(self, recorded: Recorded, event: Decision) -> None:
        match event:
            case (
                LevelChanged()
                | OverrideSet()
                | OverrideEnded()
                | FallbackStarted()
                | FallbackEnded()
            ):
                self.of(event.pool).evolve(recorded, event)
            case _:
                return


def _sentence(event: Decision) -> str:
    match event:
        case LevelChanged():
            return f"{event.before} -> {event.level} ({event.trigger}): {event.reason}"
        case OverrideSet():
            why = f": {event.reason}" if event.reason else ""
            return f"{event.by} holds it at {event.level} for {event.until - event.at:g} s{why}"
        case OverrideEnded():
            return f"the override ended: {event.reason}"
        case FallbackStarted():
            return _fallback_sentence(event)
        case FallbackEnded():
            return f"{event.variant} may be used again: {event.reason}"
        case _:
            return ""


def _fallback_sentence(event: FallbackStarted) -> str:
    failures = "1 failure" if event.failures == 1 else f"{event.failures} failures in a row"
    why = f"{failures}, the last {event.code}"
    for_s = event.until - event.at
    if not event.fallback:
        return f"nothing can stand in for {event.variant} ({why}); looked at again in {for_s:g} s"
    return f"{event.fallback} stands in for {event.variant} for {for_s:g} s: {why}"
