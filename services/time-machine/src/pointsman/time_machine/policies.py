"""Policies by name, and what each of them is set to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from pointsman.policy.parameters import DEFAULTS, Parameters, ParametersError
from pointsman.time_machine.baselines import BASELINES
from pointsman.time_machine.circumstances import Circumstance
from pointsman.time_machine.known_runs import P50_S, P99_S, UNTOLD, Expected, KnownRuns
from pointsman.time_machine.simulation import Outcome, Simulation
from pointsman.time_machine.switching import Switching
from pointsman.time_machine.traces import TracedTask, TraceError

OURS: Final = "pointsman"

POLICIES: Final = (*BASELINES, OURS)


class Fleet(NamedTuple):
    """What runs the tasks."""

    devices: int
    slots: int = 1
    """Tasks that a device runs at a time; each is as fast as if it were alone."""
    memory_mib: tuple[float, ...] = ()
    """Of each device; empty: not known, so that every model fits everywhere."""


def simulate(
    trace: list[TracedTask],
    *,
    policy: str,
    fleet: Fleet,
    parameters: Parameters = DEFAULTS,
    circumstances: Sequence[Circumstance] = (),
    expected: Mapping[str, Expected] = UNTOLD,
) -> Outcome:
    """Run a trace under one of `POLICIES`; the parameters are those of ours.

    Circumstances are in the order of time; `expected` is what is known of models before any run.

    Raises `ParametersError` where a policy knows nothing of what is asked, and `TraceError` where a
    model fits nowhere.
    """
    models = {task.model: task for task in trace}.values()
    if policy == OURS:
        _check_fits(models, fleet)
        known = KnownRuns(expected)
        ours = Switching(fleet.devices, parameters, fleet.slots, fleet.memory_mib, known)
        return Simulation(trace, ours, circumstances).run()
    if fleet.slots > 1:
        raise ParametersError(
            f"{policy} knows devices with one slot only",
            code="policy_slots",
            next_step=f"leave out --slots, or simulate {OURS}",
        )
    if fleet.memory_mib or any(task.devices_per_instance > 1 for task in models):
        raise ParametersError(
            f"{policy} knows only models that take one device and fit on any",
            code="policy_sizes",
            next_step=f"leave out devices_per_instance and --memory-mib, or simulate {OURS}",
        )
    return Simulation(
        trace, BASELINES[policy](fleet.devices, KnownRuns(expected)), circumstances
    ).run()


def _check_fits(models: Iterable[TracedTask], fleet: Fleet) -> None:
    """A model that fits nowhere would wait for ever, and its tasks would be in no figure."""
    for task in models:
        large = sum(mib >= task.part_mib for mib in fleet.memory_mib)
        there = large if fleet.memory_mib else fleet.devices
        if there < task.devices_per_instance:
            raise TraceError(
                f"{task.model} takes {_devices(task, fleet)}; there are {there}",
                code="trace_too_large",
                line=0,
                next_step="simulate more or larger devices, or leave the model out",
            )


def _devices(task: TracedTask, fleet: Fleet) -> str:
    several = task.devices_per_instance > 1
    devices = f"{task.devices_per_instance} devices" if several else "a device"
    each = " each" if several else ""
    return f"{devices} with {task.part_mib:.15g} MiB{each}" if fleet.memory_mib else devices


def parameters_of(policy: str, fleet: Fleet, parameters: Parameters = DEFAULTS) -> dict[str, float]:
    """What the figures depend on besides the trace."""
    figures: dict[str, float] = {"devices": fleet.devices, "slots": fleet.slots}
    if fleet.memory_mib:
        figures |= {"memory_mib_least": min(fleet.memory_mib)}
        figures |= {"memory_mib_most": max(fleet.memory_mib)}
    if policy == OURS:
        figures |= parameters.figures()
        figures |= {"first_p50_s": P50_S, "first_p99_s": P99_S}
    return figures
