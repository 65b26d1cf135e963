"""Answers about the ladder and its history."""

from collections.abc import Iterator

from pointsman.contracts.degradation import (
    AskHistory,
    FallbackRow,
    HistoryRow,
    HoldTimer,
    LadderRow,
    Thresholds,
)
from pointsman.contracts.levels import LEVELS, Level
from pointsman.degradation.climbing.climber import Climber
from pointsman.degradation.climbing.ladders import Ladders
from pointsman.degradation.domain.record import MAX_HISTORY, Record
from pointsman.degradation.domain.rules import Rules
from pointsman.degradation.domain.stand import Stand
from pointsman.degradation.domain.timers import Timers
from pointsman.runtime.clock import Clock


class Questions:
    """Reads what the climbers know; changes nothing."""

    def __init__(self, ladders: Ladders, rules: Rules, clock: Clock) -> None:
        self._ladders = ladders
        self._rules = rules
        self._clock = clock

    def ladders(self) -> list[LadderRow]:
        """The ladder of each pool as it stands."""
        return [self._ladder(climber, self._clock.wall()) for climber in self._ladders]

    def history(self, asked: AskHistory) -> list[HistoryRow]:
        """Newest first."""
        records = [climber.record for climber in self._ladders]
        rows = [
            row
            for record in records
            if asked.pool in {"", record.pool}
            for row in record.history(asked.limit)
        ]
        latest = sorted(rows, key=lambda row: row.position, reverse=True)
        return latest[: min(max(asked.limit, 1), MAX_HISTORY)]

    def _ladder(self, climber: Climber, at: float) -> LadderRow:
        record, stand = climber.record, climber.record.stand
        return LadderRow(
            pool=record.pool,
            level=stand.level,
            since=stand.since,
            held_s=stand.held_s(at),
            override=stand.override,
            inputs=climber.pressure(at),
            ages=climber.gauges.ages(at),
            thresholds=self._thresholds(),
            timers=tuple(self._timers(climber.timers, stand, at)),
            fallbacks=tuple(_fallbacks(record)),
        )

    def _thresholds(self) -> Thresholds:
        rules = self._rules
        return Thresholds(
            conserve_s=rules.conserve_s,
            degrade_s=rules.degrade_s,
            shed_s=rules.shed_s,
            up_hold_s=rules.up_hold_s,
            recovery_s=rules.recovery_s,
            hold_s=rules.hold_s,
            recovery_load=rules.recovery_load,
            device_high=rules.device_high,
        )

    def _timers(self, timers: Timers, stand: Stand, at: float) -> Iterator[HoldTimer]:
        rules = self._rules
        for level in LEVELS[1:]:
            yield HoldTimer(
                condition=f"predicted wait above {rules.entry[level]:g} s ({level})",
                for_s=timers.long_s(level, at),
                needed_s=rules.up_hold_s,
            )
        yield HoldTimer(
            condition=f"a device above {rules.device_high:.0%} while tasks wait",
            for_s=timers.device_s(at),
            needed_s=rules.up_hold_s,
        )
        if stand.level is not Level.NORMAL:
            yield HoldTimer(
                condition=f"headroom to leave {stand.level}",
                for_s=timers.headroom_s(stand.level, at, stand.since),
                needed_s=rules.recovery_s,
            )
        yield HoldTimer(
            condition=f"{stand.level} before the other way",
            for_s=stand.held_s(at),
            needed_s=rules.hold_s,
        )


def _fallbacks(record: Record) -> Iterator[FallbackRow]:
    for started in record.fallbacks.standing.values():
        yield FallbackRow(
            variant=started.variant,
            family=started.family,
            fallback=started.fallback,
            code=started.code,
            failures=started.failures,
            since=started.at,
            until=started.until,
            strategy=started.strategy,
        )
