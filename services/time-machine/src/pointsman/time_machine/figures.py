"""What is told of a simulated run."""

from bisect import bisect_right
from math import ceil
from typing import Final, TypedDict

from pointsman.time_machine.simulation import Outcome

SOON_S: Final = 300.0


class Figures(TypedDict):
    """Waits are from arrival to the beginning of the run, the load included."""

    policy: str
    parameters: dict[str, float]
    tasks: int
    mean_wait_s: float
    p50_wait_s: float
    p99_wait_s: float
    max_wait_s: float
    swaps_per_100: float
    utilization: float
    within_300s: float
    decisions_per_s: float


def figures_of(
    outcome: Outcome, *, policy: str, parameters: dict[str, float], slots: int
) -> Figures:
    """Figures of one run; tasks that expired have no wait and count as not begun in time.

    `slots` are those of all devices together.
    """
    waits = sorted(outcome.waits_s)
    ran = len(waits)
    return {
        "policy": policy,
        "parameters": parameters,
        "tasks": outcome.tasks,
        "mean_wait_s": round(sum(waits) / ran, 3) if ran else 0.0,
        "p50_wait_s": round(quantile(waits, 0.5), 3),
        "p99_wait_s": round(quantile(waits, 0.99), 3),
        "max_wait_s": round(waits[-1], 3) if ran else 0.0,
        "swaps_per_100": round(100 * outcome.swaps / ran, 3) if ran else 0.0,
        "utilization": round(_share(outcome.service_s, slots * outcome.makespan_s), 6),
        "within_300s": round(bisect_right(waits, SOON_S) / outcome.tasks, 6),
        "decisions_per_s": round(_share(outcome.tasks, outcome.wall_s), 1),
    }


def quantile(ordered: list[float], share: float) -> float:
    """The nearest-rank quantile."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
