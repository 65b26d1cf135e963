"""SIMULATION of a pool under overload: a queue model in place of scheduler, executors and devices.

The ladder, its gauges and its rules are the real ones; time, arrivals and service are not. The
queue is one number: tasks arrive at random (Poisson) and leave as fast as the level lets them.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pointsman.contracts.events import LevelChanged
from pointsman.contracts.levels import Level
from pointsman.degradation.domain.gauges import Gauges
from pointsman.degradation.domain.surroundings import Surroundings
from tests.degradation.pure_ladder import NOON, PureLadder, sample

BEST_PER_S: Final = 100.0
"""What the best variants carry, tasks a second."""

SPEED: Final[Mapping[Level, float]] = {
    Level.NORMAL: 1.0,
    # A smaller variant is taken where one is free.
    Level.CONSERVE: 1.3,
    Level.DEGRADE: 3.0,
    Level.SHED: 3.0,
}
"""What the pool carries at each level, as a multiple of its best variants."""

_TICK_S: Final = 0.1
_TICKS_PER_SAMPLE: Final = 10


@dataclass
class SimulatedPool:
    """A pool whose ladder hears of it every second."""

    demand: Callable[[float], float]
    """Tasks a second by the seconds since the beginning, as a multiple of `BEST_PER_S`."""
    shed_share: float = 0.4
    """Of the tasks, those of classes that `shed` refuses."""
    seed: int = 1
    ladder: PureLadder = field(default_factory=PureLadder)
    longest_wait_s: float = 0.0

    def run(self, seconds: float) -> list[tuple[float, LevelChanged]]:
        """The steps with the second at which each was taken."""
        chance, gauges, known = random.Random(self.seed), Gauges(), Surroundings()
        queue, accepted, sequence = 0.0, 0.0, list[tuple[float, LevelChanged]]()
        for tick in range(round(seconds / _TICK_S)):
            level, passed_s = self.ladder.stand.level, tick * _TICK_S
            arrived = _poisson(chance, self.demand(passed_s) * BEST_PER_S * _TICK_S)
            arrived *= 1.0 - self.shed_share if level is Level.SHED else 1.0
            speed = SPEED[level] * BEST_PER_S
            accepted += arrived
            queue = max(0.0, queue + arrived - speed * _TICK_S)
            self.longest_wait_s = max(self.longest_wait_s, queue / speed)
            if tick % _TICKS_PER_SAMPLE == 0:
                at = NOON + passed_s
                heard = sample(
                    at, accepted=round(accepted), wait_s=queue / speed, queued=round(queue)
                )
                gauges.sampled(heard, at)
                step = self.ladder.look(gauges.pressure(known, "main", at), at - self.ladder.at)
                if step is not None:
                    sequence.append((passed_s, step))
        return sequence


def _poisson(chance: random.Random, mean: float) -> float:
    """Knuth's way; means here are a few dozen at most."""
    limit, count = math.exp(-mean), 0
    left = chance.random()
    while left > limit:
        left *= chance.random()
        count += 1
    return float(count)


def shown(sequence: list[tuple[float, LevelChanged]]) -> str:
    """The level sequence as it is printed."""
    lines = ["simulated pool (a queue model, not a measurement):"]
    lines += [
        f"  {passed_s:5.1f} s  {step.before} -> {step.level}: {step.reason}"
        for passed_s, step in sequence
    ]
    return "\n".join(lines)
