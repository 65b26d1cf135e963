"""How a pool behaves, and three rules that act on it (A8). What cannot be measured moves nothing.

A value is quantised downwards in steps of 0.05. All thresholds are multiples of that step, so that
a change of side is always written down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor
from typing import Final

from pointsman.contracts.events import BehaviourMeasured, ContextPoolGrown, PriorityBoosted
from pointsman.contracts.message import PriorityClass

MIN_TASKS: Final = 20
"""Fewer ended tasks are an anecdote."""
STEPS: Final = 20
"""Quantised values per 1."""

BOOST_BELOW: Final = 0.80
BOOST_UNTIL: Final = 0.85
"""Apart from where it starts, so that one task more or less does not end and start it."""
BOOST_S_PER_STEP: Final = 3.75
"""15 s for a shortfall of 0.2."""
MAX_BOOST_S: Final = 30.0
BOOSTED: Final = (PriorityClass.INTERACTIVE.value, PriorityClass.STANDARD.value)

GROW_ABOVE: Final = 0.70
SHRINK_BELOW: Final = 0.30
GROWTH: Final = 1.5
GROW_EVERY_S: Final = 60.0
"""The next growth waits until the last one can have shown."""
MAX_FACTOR: Final = 4.0

_ROUNDING: Final = 1e-9
"""0.15 * 20 is a little less than 3 in floating point."""


@dataclass(frozen=True, slots=True)
class Window:
    """Counts over the tasks of a pool that ended in a time."""

    ended: int = 0
    """Without those that somebody cancelled."""
    completed: int = 0
    run_us: int = 0
    """Microseconds that the completed attempts ran."""
    spent_us: int = 0
    """Microseconds that all attempts ran."""
    with_history: int = 0
    """Prepared tasks whose conversation had earlier turns."""
    reused: int = 0
    """Those of them that got some."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Shares from 0 to 1; None: nothing to measure."""

    tasks: int
    completion_rate: float | None = None
    average_quality: float | None = None
    resource_efficiency: float | None = None
    context_reuse_rate: float | None = None

    @property
    def quantised(self) -> tuple[int | None, ...]:
        """What has to change for a new event."""
        values = (
            self.completion_rate,
            self.average_quality,
            self.resource_efficiency,
            self.context_reuse_rate,
        )
        return tuple(None if value is None else step_of(value) for value in values)


@dataclass(slots=True)
class Behaviour:
    """What was recorded last about one pool."""

    measured: BehaviourMeasured | None = None
    boosted: PriorityBoosted | None = None
    grown: ContextPoolGrown | None = None

    @property
    def boost_s(self) -> float:
        return 0.0 if self.boosted is None else self.boosted.boost_s

    @property
    def factor(self) -> float:
        return 1.0 if self.grown is None else self.grown.factor


BehaviourEvent = BehaviourMeasured | PriorityBoosted | ContextPoolGrown


def step_of(value: float) -> int:
    """The step that a share stands on."""
    return floor(value * STEPS + _ROUNDING)


def measure(window: Window, average_quality: float | None) -> Metrics:
    """The metrics of a window; all None below `MIN_TASKS`."""
    if window.ended < MIN_TASKS:
        return Metrics(window.ended)
    return Metrics(
        tasks=window.ended,
        completion_rate=window.completed / window.ended,
        average_quality=average_quality,
        resource_efficiency=_share(window.run_us, window.spent_us),
        context_reuse_rate=_share(window.reused, window.with_history),
    )


def decide(
    behaviour: Behaviour,
    pool: str,
    metrics: Metrics,
    *,
    window_s: float,
    at: float,
    applied_to: int,
) -> Iterator[BehaviourEvent]:
    """Events of a pool that follow from its metrics."""
    if metrics.quantised != _last_steps(behaviour.measured):
        yield BehaviourMeasured(
            at=at,
            applied_to=applied_to,
            pool=pool,
            window_s=window_s,
            tasks=metrics.tasks,
            completion_rate=metrics.completion_rate,
            average_quality=metrics.average_quality,
            resource_efficiency=metrics.resource_efficiency,
            context_reuse_rate=metrics.context_reuse_rate,
        )
    if metrics.completion_rate is not None:
        yield from _boosted(behaviour, pool, metrics.completion_rate, at, applied_to)
    if metrics.context_reuse_rate is not None:
        yield from _grown(behaviour, pool, metrics.context_reuse_rate, at, applied_to)


def _boosted(
    behaviour: Behaviour, pool: str, rate: float, at: float, applied_to: int
) -> Iterator[PriorityBoosted]:
    boost_s = next_boost_s(behaviour.boost_s, rate)
    if boost_s != behaviour.boost_s:
        yield PriorityBoosted(
            at=at,
            applied_to=applied_to,
            pool=pool,
            boost_s=boost_s,
            classes=BOOSTED,
            completion_rate=rate,
            threshold=BOOST_BELOW if boost_s else BOOST_UNTIL,
        )


def _grown(
    behaviour: Behaviour, pool: str, reuse: float, at: float, applied_to: int
) -> Iterator[ContextPoolGrown]:
    factor = next_factor(behaviour, reuse, at)
    if factor != behaviour.factor:
        yield ContextPoolGrown(
            at=at,
            applied_to=applied_to,
            pool=pool,
            factor=factor,
            context_reuse_rate=reuse,
            threshold=GROW_ABOVE if factor > 1 else SHRINK_BELOW,
        )


def next_boost_s(boost_s: float, completion_rate: float) -> float:
    """Proportional below `BOOST_BELOW`, none from `BOOST_UNTIL` on, as it is between them."""
    step = step_of(completion_rate)
    if step < step_of(BOOST_BELOW):
        return min(MAX_BOOST_S, BOOST_S_PER_STEP * (step_of(BOOST_BELOW) - step))
    return 0.0 if step >= step_of(BOOST_UNTIL) else boost_s


def next_factor(behaviour: Behaviour, reuse: float, at: float) -> float:
    """Grows in steps while contexts are reused, and goes back only when they hardly are."""
    if reuse < SHRINK_BELOW:
        return 1.0
    waited = behaviour.factor == 1 or (
        behaviour.grown is not None and at - behaviour.grown.at >= GROW_EVERY_S
    )
    if reuse > GROW_ABOVE and waited:
        return min(MAX_FACTOR, behaviour.factor * GROWTH)
    return behaviour.factor


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _last_steps(measured: BehaviourMeasured | None) -> tuple[int | None, ...]:
    if measured is None:
        return Metrics(0).quantised
    return Metrics(
        measured.tasks,
        measured.completion_rate,
        measured.average_quality,
        measured.resource_efficiency,
        measured.context_reuse_rate,
    ).quantised
