"""Power of two choices: of two pools drawn, the one where the task is expected to start sooner.

Readings are a second old and everybody reads the same ones: whoever took the best of all pools
would send every task there until the next reading. Two draws spread the tasks, and the better of
two keeps the longest queue far shorter than one draw does (Mitzenmacher 2001). What a chooser has
sent itself since a reading is added to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

from pointsman.contracts.pool_choice import ChoiceBasis, PoolCandidate, PoolChoice
from pointsman.contracts.telemetry import POOL_EVERY_S, STALE_PERIODS

STALE_S: Final = POOL_EVERY_S * STALE_PERIODS
"""A reading that is older says nothing about the present."""

Draws = tuple[float, float]
"""Uniform in [0, 1): which pool is drawn first, and which of the others second."""


@dataclass(frozen=True, slots=True)
class PoolReading:
    """What is known of a pool for one family."""

    pool: str
    age_s: float | None = None
    """None: nothing was ever heard of it."""
    wait_s: float | None = None
    """Until a task starts there, of those that the pool has; None: it cannot serve the family."""
    busy: float | None = None
    """Share of its slots that are taken; tells pools apart in which nothing waits."""
    sent: int = 0
    """Tasks of the family that the chooser has sent there since the reading."""
    each_s: float = 0.0
    """How much longer each of those makes the wait."""

    @property
    def able(self) -> bool:
        """Whether a device of it can serve the family, as far as is known."""
        return self.wait_s is not None

    @property
    def fresh(self) -> bool:
        """Whether the reading still counts."""
        return self.age_s is not None and self.age_s <= STALE_S

    def candidate(self) -> PoolCandidate:
        """As it stands in an explanation."""
        return PoolCandidate(
            pool=self.pool,
            wait_s=None if self.wait_s is None else round(self._expected_s(), 6),
            busy=None if self.busy is None else round(self.busy, 4),
            age_s=None if self.age_s is None else round(self.age_s, 3),
            sent=self.sent,
        )

    def order(self) -> tuple[float, float]:
        """The smaller one wins."""
        return self._expected_s(), inf if self.busy is None else self.busy

    def _expected_s(self) -> float:
        return inf if self.wait_s is None else self.wait_s + self.sent * self.each_s


def choose_pool(readings: Sequence[PoolReading], draws: Draws) -> PoolChoice:
    """The pool of a task, with what spoke for it; equal pools are told apart by the first draw.

    Pools without a device for the family, and those that were silent for `STALE_S`, are drawn only
    where there are no others. Raises `ValueError` without any pool.
    """
    basis, able = _candidates(readings)
    first, second = _drawn(able, draws)
    if second is None:
        return PoolChoice(chosen=first.pool, basis=basis, pools=1, candidates=(first.candidate(),))
    better = second if second.order() < first.order() else first
    return PoolChoice(
        chosen=better.pool,
        basis=basis,
        pools=len(able),
        candidates=(first.candidate(), second.candidate()),
        draws=draws,
    )


def _candidates(readings: Sequence[PoolReading]) -> tuple[ChoiceBasis, list[PoolReading]]:
    # In order of their names, so that a draw means the same pool to whoever looks again.
    known = sorted(readings, key=lambda reading: reading.pool)
    able = [reading for reading in known if reading.able]
    fresh = [reading for reading in able if reading.fresh]
    if fresh:
        return ChoiceBasis.LOAD, fresh
    if able:
        return ChoiceBasis.STALE, able
    if not known:
        raise ValueError("there is no pool to choose from")
    # One that says nothing may have a device for it; the others have said that they have none.
    silent = [reading for reading in known if not reading.fresh]
    return ChoiceBasis.UNKNOWN, silent or known


def _drawn(pools: Sequence[PoolReading], draws: Draws) -> tuple[PoolReading, PoolReading | None]:
    first = int(draws[0] * len(pools))
    if len(pools) == 1:
        return pools[first], None
    second = int(draws[1] * (len(pools) - 1))
    return pools[first], pools[second + (second >= first)]
