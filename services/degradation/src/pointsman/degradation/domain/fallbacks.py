"""When a variant is passed over, for which other, and until when.

The resource target of a strategy is min(0.8 x available memory, the least that any fallback
needs). Available is what a device has free and what the variants loaded on it hold already, so
that a loaded fallback is not counted twice; the device with the most of it decides.

Viable is a variant of the same family that is loaded somewhere (passing over the only variant that
is served would leave tasks without a device), is not passed over itself and has the quality that
the family asks for. Memory matters where memory ran out: then it must also be smaller than the
variant that failed and fit into 0.8 x available.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pointsman.contracts.events import FallbackEnded, FallbackStarted, Strategy
from pointsman.contracts.events.attempt_ends import OUT_OF_MEMORY
from pointsman.degradation.domain.failures import Streak
from pointsman.degradation.domain.surroundings import Surroundings, Variant

IN_A_ROW: Final = 3
LEAST_TASKS: Final = 2
"""One task that is tried three times proves nothing about the variant."""

FRESH_S: Final = 60.0
"""Older failures are history: the service was away, or its view is catching up."""

FIRST_S: Final = 30.0
LONGEST_S: Final = 600.0
FORGIVEN_S: Final = 600.0
"""A variant that was used for so long without failing starts anew with `FIRST_S`."""

AVAILABLE_SHARE: Final = 0.8
MAX_TASKS: Final = 5


@dataclass(frozen=True, slots=True)
class Past:
    """What was decided about one variant so far."""

    standing: FallbackStarted | None = None
    handled: int = 0
    """Failures up to this position led to what was decided."""
    repetitions: int = 0
    ended_at: float = 0.0


class Fallbacks:
    """The fold of one pool's own events, by variant."""

    def __init__(self, pool: str) -> None:
        self.pool = pool
        self._past: dict[str, Past] = {}

    def evolve(self, event: FallbackStarted | FallbackEnded) -> None:
        if event.pool != self.pool:
            return
        past = self.past(event.variant)
        handled = max(past.handled, event.applied_to)
        match event:
            case FallbackStarted():
                again = past.repetitions + 1 if _repeats(past, event.at) else 1
                changed = replace(past, standing=event, repetitions=again)
            case FallbackEnded():
                changed = replace(past, standing=None, ended_at=event.at)
        self._past[event.variant] = replace(changed, handled=handled)

    def past(self, variant: str) -> Past:
        return self._past.get(variant, Past())

    @property
    def standing(self) -> Mapping[str, FallbackStarted]:
        """By the variant that is passed over, or would be if there were a fallback."""
        return {
            variant: past.standing
            for variant, past in self._past.items()
            if past.standing is not None
        }


def decide_ended(fallbacks: Fallbacks, *, at: float, applied_to: int) -> list[FallbackEnded]:
    """Fallbacks whose time is over."""
    return [
        FallbackEnded(
            at=at,
            applied_to=applied_to,
            pool=fallbacks.pool,
            variant=variant,
            reason="its time is over" if started.fallback else "there was none; looked at again",
        )
        for variant, started in fallbacks.standing.items()
        if started.until <= at
    ]


def decide_started(
    fallbacks: Fallbacks, known: Surroundings, available_mib: float | None, *, at: float
) -> list[FallbackStarted]:
    """Variants to pass over from now on; the first decision counts for the ones after it."""
    decided: list[FallbackStarted] = []
    for streak in known.streaks:
        past = fallbacks.past(streak.variant)
        variant = known.variants.get(streak.variant)
        if streak.pool != fallbacks.pool or past.standing is not None or variant is None:
            continue
        pending = streak.since(past.handled)
        code = _verdict(pending, at)
        if code is None:
            continue
        passed = {*fallbacks.standing, *(each.variant for each in decided)}
        strategy = _strategy(variant, code, known, fallbacks.pool, passed, available_mib)
        repetitions = past.repetitions if _repeats(past, at) else 0
        tasks = dict.fromkeys(failure.task for failure in pending.recent)
        decided.append(
            FallbackStarted(
                at=at,
                applied_to=known.position,
                pool=fallbacks.pool,
                family=variant.family,
                variant=variant.variant,
                fallback=strategy.fallbacks[0] if strategy.fallbacks else "",
                strategy=strategy,
                code=code,
                failures=max(pending.count, 1),
                tasks=tuple(tasks)[-MAX_TASKS:],
                until=at + min(FIRST_S * 2**repetitions, LONGEST_S),
            )
        )
    return decided


def available_mib(known: Surroundings, pool: str, free_mib: Mapping[str, float]) -> float | None:
    """The most memory that models may have on one device; None where no device is measured."""
    return max(
        (
            free_mib[device.device] + _held(known, device.variants)
            for device in known.devices.values()
            if device.pool == pool and device.device in free_mib
        ),
        default=None,
    )


def _held(known: Surroundings, variants: Sequence[str]) -> float:
    return sum(known.variants[name].memory_mib for name in variants if name in known.variants)


def _repeats(past: Past, at: float) -> bool:
    return past.repetitions > 0 and at - past.ended_at <= FORGIVEN_S


def _verdict(pending: Streak, at: float) -> str | None:
    """The code that the variant is passed over for, None if nothing speaks against it."""
    fresh = [each for each in pending.recent if at - each.at <= FRESH_S]
    for failure in reversed(fresh):
        # The next attempt would take the memory away from its neighbours as well.
        if failure.code == OUT_OF_MEMORY:
            return failure.code
    row = pending.row
    several = len({failure.task for failure in row}) >= LEAST_TASKS
    if pending.count >= IN_A_ROW and several and row[-1] in fresh:
        return row[-1].code
    return None


def _strategy(
    failed: Variant,
    code: str,
    known: Surroundings,
    pool: str,
    passed: set[str],
    available: float | None,
) -> Strategy:
    threshold = known.thresholds.get(failed.family, 0.0)
    loaded = {
        name for device in known.devices.values() if device.pool == pool for name in device.variants
    }
    able = [
        each
        for each in known.variants.values()
        if each.family == failed.family
        and each.variant != failed.variant
        and each.variant in loaded
        and each.variant not in passed
        and each.quality >= threshold
    ]
    room = None if available is None else AVAILABLE_SHARE * available
    least = min((each.memory_mib for each in able), default=0.0)
    viable = able
    if code == OUT_OF_MEMORY:
        viable = [
            each
            for each in able
            if each.memory_mib < failed.memory_mib and (room is None or each.memory_mib <= room)
        ]
    return Strategy(
        resource_target_mib=least if room is None else min(room, least),
        quality_threshold=threshold,
        fallbacks=tuple(
            each.variant for each in sorted(viable, key=lambda v: (-v.quality, v.variant))
        ),
    )
