"""Whether the ladder moves now: one step by its signals, or as many as an override demands."""

from typing import Final

from pointsman.contracts.commands import Rejected
from pointsman.contracts.degradation import MAX_TTL_S, MIN_TTL_S, EndOverride, SetOverride
from pointsman.contracts.events import (
    Decision,
    LevelChanged,
    OverrideEnded,
    OverrideSet,
    Pressure,
)
from pointsman.contracts.levels import Level
from pointsman.degradation.domain.grounds import Grounds
from pointsman.degradation.domain.ladder import TRANSITIONS, Signal, path, rank
from pointsman.degradation.domain.rules import Rules
from pointsman.degradation.domain.stand import Stand
from pointsman.degradation.domain.timers import Timers

# What leads up comes first: a ladder that has reasons for both stays up.
_BY_SIGNALS: Final = (
    Signal.WAIT_LONG,
    Signal.ALERT_STANDS,
    Signal.DEVICE_FULL,
    Signal.HEADROOM,
)
EXPIRED: Final = "expired"


class Steps:
    """Decisions about one pool's ladder."""

    def __init__(self, pool: str, rules: Rules) -> None:
        self._pool = pool
        self._rules = rules

    def by_signals(
        self, stand: Stand, timers: Timers, pressure: Pressure, *, at: float, applied_to: int
    ) -> LevelChanged | None:
        """The next step, None while nothing demands one or an override stands."""
        if stand.override is not None:
            return None
        for signal in _BY_SIGNALS:
            after = TRANSITIONS.get((stand.level, signal))
            if after is None or not self._may_turn(stand, after, at):
                continue
            if self._given(signal, stand, timers, pressure, at):
                return self._changed(
                    stand, signal, after, pressure, timers, at=at, applied_to=applied_to
                )
        return None

    def overridden(
        self,
        command: SetOverride,
        stand: Stand,
        pressure: Pressure,
        *,
        at: float,
        applied_to: int,
    ) -> tuple[Decision, ...]:
        """The override and its steps, recorded together."""
        override = OverrideSet(
            at=at,
            applied_to=applied_to,
            pool=self._pool,
            level=command.level,
            until=at + command.ttl_s,
            by=command.by,
            reason=command.reason,
        )
        steps: list[Decision] = [override]
        grounds = Grounds(self._rules, pressure)
        for signal, after in path(stand.level, command.level):
            step = LevelChanged(
                at=at,
                applied_to=applied_to,
                pool=self._pool,
                before=stand.level,
                level=after,
                trigger=signal,
                reason=grounds.override(command),
                inputs=pressure,
                alternatives=grounds.overruled(after),
                held_s=stand.held_s(at) or 0.0,
                # The signals decide again when the override ends, after the usual time.
                hold_s=self._rules.hold_s,
            )
            steps.append(step)
            stand = stand.evolve(step)
        return tuple(steps)

    def override_ended(self, by: str, *, at: float, applied_to: int) -> OverrideEnded:
        """The level stays; its signals move it from here on."""
        return OverrideEnded(at=at, applied_to=applied_to, pool=self._pool, reason=by)

    def expired(self, stand: Stand, *, at: float, applied_to: int) -> OverrideEnded | None:
        """The end of an override whose time is over."""
        if stand.override is None or at < stand.override.until:
            return None
        return self.override_ended(EXPIRED, at=at, applied_to=applied_to)

    def refusal(self, command: SetOverride | EndOverride) -> Rejected | None:
        """Why a command cannot be followed."""
        if isinstance(command, SetOverride) and not MIN_TTL_S <= command.ttl_s <= MAX_TTL_S:
            return Rejected(
                code="ttl_out_of_range",
                message=f"an override stands for {MIN_TTL_S:.0f} s to {MAX_TTL_S:.0f} s, "
                f"not for {command.ttl_s:.15g} s",
                next="give a time within this range, and renew it when it is over",
            )
        return None

    def _may_turn(self, stand: Stand, after: Level, at: float) -> bool:
        held_s = stand.held_s(at)
        turns = (rank(after) > rank(stand.level)) is not stand.rising
        return held_s is None or not turns or held_s >= self._rules.hold_s

    def _given(
        self, signal: Signal, stand: Stand, timers: Timers, pressure: Pressure, at: float
    ) -> bool:
        match signal:
            case Signal.WAIT_LONG:
                above = TRANSITIONS[stand.level, signal]
                lasted = timers.long_s(above, at, stand.since)
                return _at_least(lasted, self._rules.up_hold_s)
            case Signal.ALERT_STANDS:
                # An alert has lasted for its own time when it is raised.
                return bool(self._rules.pressing(pressure))
            case Signal.DEVICE_FULL:
                return _at_least(timers.device_s(at, stand.since), self._rules.up_hold_s)
            case Signal.HEADROOM:
                lasted = timers.headroom_s(stand.level, at, stand.since)
                return _at_least(lasted, self._rules.recovery_s)
            case Signal.OVERRIDE_UP | Signal.OVERRIDE_DOWN:
                return False

    def _changed(
        self,
        stand: Stand,
        signal: Signal,
        after: Level,
        pressure: Pressure,
        timers: Timers,
        *,
        at: float,
        applied_to: int,
    ) -> LevelChanged:
        grounds = Grounds(self._rules, pressure)
        return LevelChanged(
            at=at,
            applied_to=applied_to,
            pool=self._pool,
            before=stand.level,
            level=after,
            trigger=signal,
            reason=grounds.reason(signal, stand, timers, after, at),
            inputs=pressure,
            alternatives=grounds.alternatives(stand.level, after),
            held_s=stand.held_s(at) or 0.0,
            hold_s=self._rules.hold_s,
        )


def _at_least(lasted_s: float | None, needed_s: float) -> bool:
    return lasted_s is not None and lasted_s >= needed_s
