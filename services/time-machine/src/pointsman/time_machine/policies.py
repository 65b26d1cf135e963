"""Policies by name, and what each of them is set to."""

from collections.abc import Callable
from typing import Final

from pointsman.policy.holder_wait import PATIENCE
from pointsman.policy.swap_credit import CAP_LOADS, SHARE
from pointsman.time_machine.disciplines import BASELINES, Discipline
from pointsman.time_machine.simulation import Outcome, Simulation
from pointsman.time_machine.switching import P50_S, P99_S, Switching
from pointsman.time_machine.traces import TracedTask

OURS: Final = "pointsman"

POLICIES: Final[dict[str, Callable[[int], Discipline]]] = {**BASELINES, OURS: Switching}


def simulate(trace: list[TracedTask], *, policy: str, devices: int) -> Outcome:
    """Run a trace under one of `POLICIES`."""
    return Simulation(trace, POLICIES[policy](devices)).run()


def parameters_of(policy: str, devices: int) -> dict[str, float]:
    """What the figures depend on besides the trace."""
    parameters: dict[str, float] = {"devices": devices}
    if policy == OURS:
        parameters |= {
            "swap_share": SHARE,
            "credit_cap_loads": CAP_LOADS,
            "holder_patience_loads": PATIENCE,
            "first_p50_s": P50_S,
            "first_p99_s": P99_S,
        }
    return parameters
