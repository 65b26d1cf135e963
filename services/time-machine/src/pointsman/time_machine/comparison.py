"""Our policy against a plain queue on the made-up workload, seed by seed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Final, TypedDict

from pointsman.time_machine.figures import Figures, figures_of
from pointsman.time_machine.policies import parameters_of, simulate
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.workload import Workload, faster, generate

COMPARED: Final = ("mean_wait_s", "p50_wait_s", "p99_wait_s", "max_wait_s", "swaps_per_100")


class Factor(TypedDict):
    """Figures of our policy over those of the plain queue at so many times the arrival rate."""

    load: float
    median: dict[str, float]
    worst: dict[str, float]
    seeds: list[dict[str, float]]


class Comparison(TypedDict):
    """`simulated` says what of this is not measured."""

    simulated: str
    workload: dict[str, float]
    parameters: dict[str, float]
    factors: list[Factor]


SIMULATED: Final = "arrivals, loads and runs are drawn; no device ran anything"


def compare(workload: Workload, *, seeds: Sequence[int], loads: Sequence[float]) -> Comparison:
    """The ratios at each load; `worst` is the largest of any seed."""
    rows: dict[float, list[dict[str, float]]] = {load: [] for load in loads}
    for seed in seeds:
        trace = generate(_seeded(workload, seed))
        for load in loads:
            ratios = _ratios(faster(trace, load), workload.devices)
            rows[load].append({"seed": seed, **ratios})
    drawn = asdict(workload)
    del drawn["seed"]
    return {
        "simulated": SIMULATED,
        "workload": drawn,
        "parameters": parameters_of("pointsman", workload.devices),
        "factors": [
            {
                "load": load,
                "median": {name: round(median(_column(rows[load], name)), 4) for name in COMPARED},
                "worst": {name: max(_column(rows[load], name)) for name in COMPARED},
                "seeds": rows[load],
            }
            for load in loads
        ],
    }


def _seeded(workload: Workload, seed: int) -> Workload:
    return Workload(**{**asdict(workload), "seed": seed})


def _column(rows: Iterable[dict[str, float]], name: str) -> list[float]:
    return [row[name] for row in rows]


def _ratios(trace: list[TracedTask], devices: int) -> dict[str, float]:
    plain, ours = (_figures(trace, policy, devices) for policy in ("fifo", "pointsman"))
    return {name: round(float(ours[name]) / float(plain[name]), 4) for name in COMPARED}


def _figures(trace: list[TracedTask], policy: str, devices: int) -> Figures:
    outcome = simulate(trace, policy=policy, devices=devices)
    return figures_of(outcome, policy=policy, parameters={}, devices=devices)
