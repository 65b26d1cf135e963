"""Policies by name, and what each of them is set to."""

from typing import Final, NamedTuple

from pointsman.policy.parameters import DEFAULTS, Parameters, ParametersError
from pointsman.time_machine.disciplines import BASELINES
from pointsman.time_machine.known_runs import P50_S, P99_S
from pointsman.time_machine.simulation import Outcome, Simulation
from pointsman.time_machine.switching import Switching
from pointsman.time_machine.traces import TracedTask

OURS: Final = "pointsman"

POLICIES: Final = (*BASELINES, OURS)


class Fleet(NamedTuple):
    """What runs the tasks."""

    devices: int
    slots: int = 1
    """Tasks that a device runs at a time; each is as fast as if it were alone."""


def simulate(
    trace: list[TracedTask], *, policy: str, fleet: Fleet, parameters: Parameters = DEFAULTS
) -> Outcome:
    """Run a trace under one of `POLICIES`; the parameters are those of ours.

    Raises `ParametersError` where a policy cannot use several slots.
    """
    if policy == OURS:
        return Simulation(trace, Switching(fleet.devices, parameters, fleet.slots)).run()
    if fleet.slots > 1:
        raise ParametersError(
            f"{policy} knows devices with one slot only",
            code="policy_slots",
            next_step=f"leave out --slots, or simulate {OURS}",
        )
    return Simulation(trace, BASELINES[policy](fleet.devices)).run()


def parameters_of(policy: str, fleet: Fleet, parameters: Parameters = DEFAULTS) -> dict[str, float]:
    """What the figures depend on besides the trace."""
    figures: dict[str, float] = {"devices": fleet.devices, "slots": fleet.slots}
    if policy == OURS:
        figures |= parameters.figures()
        figures |= {"first_p50_s": P50_S, "first_p99_s": P99_S}
    return figures
