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
from pointsman.degradation.domain.rules import Rules
from pointsman.degradation.domain.stand import Stand
from pointsman.runtime.clock import Clock


class Questions:
    """Reads what the climber knows; changes nothing."""

    def __init__(self, climber: Climber, rules: Rules, clock: Clock) -> None:
        self._climber = climber
        self._rules = rules
        self._clock = clock

    def ladders(self) -> list[LadderRow]:
        """The ladder of the pool as it stands."""
        at, record = self._clock.wall(), self._climber.record
        stand = record.stand
        row = LadderRow(
            pool=record.pool,
            level=stand.level,
            since=stand.since,
            held_s=stand.held_s(at),
            override=stand.override,
            inputs=self._climber.pressure(at),
            ages=self._climber.gauges.ages(at),
            thresholds=self._thresholds(),
            timers=tuple(self._timers(stand, at)),
            fallbacks=tuple(self._fallbacks()),
        )
        return [row]

    def history(self, asked: AskHistory) -> list[HistoryRow]:
        """Newest first."""
        return list(self._climber.record.history(asked.limit))

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

    def _timers(self, stand: Stand, at: float) -> Iterator[HoldTimer]:
        timers, rules = self._climber.timers, self._rules
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

    def _fallbacks(self) -> Iterator[FallbackRow]:
        for started in self._climber.record.fallbacks.standing.values():
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
