"""Our policy against a plain queue on the made-up workload, seed by seed.

Beside it stands how far our waits are from what no policy can fall below.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from statistics import median
from typing import Final, NamedTuple, TypedDict

from pointsman.time_machine.bound import wait_bounds
from pointsman.time_machine.figures import Figures, figures_of
from pointsman.time_machine.policies import OURS, Fleet, parameters_of, simulate
from pointsman.time_machine.simulation import Outcome
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.workload import Workload, faster, generate

COMPARED: Final = ("mean_wait_s", "p50_wait_s", "p99_wait_s", "max_wait_s", "swaps_per_100")
BOUNDED: Final = ("mean_wait_s", "p99_wait_s", "max_wait_s")


class Memory(TypedDict):
    """Memory held on average, in models: each counts the same, however large it would be."""

    held_models: float
    """By our policy, median; a device keeps its model until another one comes, as nothing is
    unloaded for being idle here."""
    all_models: int
    share: float
    """Of what keeping every model resident once would hold."""


class Factor(TypedDict):
    """Figures of our policy over those of the plain queue at so many times the arrival rate."""

    load: float
    median: dict[str, float]
    worst: dict[str, float]
    bound: dict[str, float]
    """What no policy can fall below over ours, median; as `pointsman.time_machine.bound` says."""
    memory: Memory
    seeds: list[dict[str, float]]


class Comparison(TypedDict):
    """`simulated` says what of this is not measured."""

    simulated: str
    workload: dict[str, float]
    parameters: dict[str, float]
    factors: list[Factor]


SIMULATED: Final = "arrivals, loads and runs are drawn; no device ran anything"


class _Row(NamedTuple):
    """One seed at one load."""

    ratios: dict[str, float]
    bounds: dict[str, float]
    held_models: float


def compare(workload: Workload, *, seeds: Sequence[int], loads: Sequence[float]) -> Comparison:
    """The ratios at each load; `worst` is the largest of any seed."""
    rows: dict[float, list[_Row]] = {load: [] for load in loads}
    for seed in seeds:
        trace = generate(_seeded(workload, seed))
        for load in loads:
            rows[load].append(_row(seed, faster(trace, load), workload.devices))
    drawn = asdict(workload)
    del drawn["seed"]
    return {
        "simulated": SIMULATED,
        "workload": drawn,
        "parameters": parameters_of(OURS, Fleet(workload.devices)),
        "factors": [_factor(load, rows[load], workload.models) for load in loads],
    }


def _factor(load: float, rows: list[_Row], models: int) -> Factor:
    ratios, bounds = [row.ratios for row in rows], [row.bounds for row in rows]
    held = median(row.held_models for row in rows)
    return {
        "load": load,
        "median": {name: round(median(_column(ratios, name)), 4) for name in COMPARED},
        "worst": {name: max(_column(ratios, name)) for name in COMPARED},
        "bound": {name: round(median(_column(bounds, name)), 4) for name in BOUNDED},
        "memory": {
            "held_models": round(held, 3),
            "all_models": models,
            "share": _ratio(held, models),
        },
        "seeds": ratios,
    }


def _seeded(workload: Workload, seed: int) -> Workload:
    return Workload(**{**asdict(workload), "seed": seed})


def _column(rows: Iterable[dict[str, float]], name: str) -> list[float]:
    return [row[name] for row in rows]


def _row(seed: int, trace: list[TracedTask], devices: int) -> _Row:
    fleet = Fleet(devices)
    queued, switched = (simulate(trace, policy=policy, fleet=fleet) for policy in ("fifo", OURS))
    plain, ours = _figures(queued, "fifo", devices), _figures(switched, OURS, devices)
    bounds = wait_bounds(trace, devices)
    return _Row(
        {"seed": seed, **{name: _ratio(ours[name], plain[name]) for name in COMPARED}},
        {name: _ratio(bounds[name], ours[name]) for name in BOUNDED},
        switched.held_s / switched.makespan_s,
    )


def _ratio(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


def _figures(outcome: Outcome, policy: str, devices: int) -> Figures:
    return figures_of(outcome, policy=policy, parameters={}, slots=devices)
