"""A made-up workload like that of a production fleet: few models take most requests, in bursts.

87 models, the five most frequent take 70 %; runs and loads are lognormal, arrivals gamma with a
coefficient of variation of 3. The rate is such that a plain queue that swaps keeps its devices busy
for a given share of the time, loads included.
"""

import math
import random
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import Final

import msgspec

from pointsman.time_machine.baselines import Fifo
from pointsman.time_machine.simulation import Outcome, Simulation
from pointsman.time_machine.traces import TracedTask

_HALVINGS: Final = 40

_CALIBRATED: Final = 100_000
"""The rate is found with so many tasks at the most: 40 runs of a million would take minutes."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is drawn; the defaults are the published ones."""

    seed: int = 1
    tasks: int = 20_000
    models: int = 87
    top: int = 5
    top_share: float = 0.70
    load_p50_s: float = 22.7
    load_p95_s: float = 45.0
    """Drawn once per model."""
    run_p50_s: float = 23.0
    run_p99_s: float = 106.0
    arrival_cv: float = 3.0
    """Standard deviation of the gaps between arrivals over their mean."""
    devices: int = 4
    busy: float = 0.9
    """Share of the devices' time that a plain queue takes, loads included."""


def generate(workload: Workload) -> list[TracedTask]:
    """The tasks of a workload at its rate; the same seed gives the same tasks."""
    return at_rate(_draw(workload), workload)


def faster(trace: list[TracedTask], factor: float) -> list[TracedTask]:
    """The same tasks, arriving so many times as fast."""
    return [msgspec.structs.replace(task, arrival_s=task.arrival_s / factor) for task in trace]


def busy_share(outcome: Outcome, devices: int) -> float:
    """Share of the devices' time that runs and loads took."""
    return (outcome.service_s + outcome.load_s) / (devices * outcome.makespan_s)


def at_rate(trace: list[TracedTask], workload: Workload) -> list[TracedTask]:
    """Stretch the arrivals until a plain queue keeps the devices as busy as is asked for."""
    slow, fast = 0.001, max(10.0, float(workload.devices))
    some = trace[:_CALIBRATED]
    for _ in range(_HALVINGS):
        factor = math.sqrt(slow * fast)
        outcome = Simulation(faster(some, factor), Fifo(workload.devices, affinity=False)).run()
        if busy_share(outcome, workload.devices) > workload.busy:
            fast = factor
        else:
            slow = factor
    return faster(trace, slow)


def zipf_weights(models: int, top: int, share: float) -> list[float]:
    """Weights `1 / rank^s` with the `s` for which the first `top` have that share."""
    low, high = 0.0, 8.0
    weights = [1.0] * models
    for _ in range(_HALVINGS):
        exponent = (low + high) / 2
        weights = [1 / (rank + 1) ** exponent for rank in range(models)]
        if sum(weights[:top]) < share * sum(weights):
            low = exponent
        else:
            high = exponent
    return weights


def _draw(workload: Workload) -> list[TracedTask]:
    draws = random.Random(workload.seed)
    normal = NormalDist()
    load_sigma = math.log(workload.load_p95_s / workload.load_p50_s) / normal.inv_cdf(0.95)
    run_sigma = math.log(workload.run_p99_s / workload.run_p50_s) / normal.inv_cdf(0.99)
    loads = [
        draws.lognormvariate(math.log(workload.load_p50_s), load_sigma)
        for _ in range(workload.models)
    ]
    weights = zipf_weights(workload.models, workload.top, workload.top_share)
    ranks = draws.choices(
        range(workload.models), cum_weights=list(accumulate(weights)), k=workload.tasks
    )
    shape = 1 / workload.arrival_cv**2
    tasks: list[TracedTask] = []
    arrival_s = 0.0
    for number, rank in enumerate(ranks):
        # Mean 1 s; stretched to the rate afterwards.
        arrival_s += draws.gammavariate(shape, 1 / shape)
        tasks.append(
            TracedTask(
                number=number,
                arrival_s=arrival_s,
                model=f"model-{rank + 1:02}",
                service_s=draws.lognormvariate(math.log(workload.run_p50_s), run_sigma),
                load_s=loads[rank],
            )
        )
    return tasks
