"""What another policy would have done with a recorded load, beside what ours did.

The simulation is judged first: our policy runs on the calibrated load, and its waits stand beside
the recorded ones. A difference between policies that is smaller than that error says nothing.
"""

import time
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Final, TypedDict

from pointsman.eventstore.log_rows import row_pages
from pointsman.policy.parameters import Parameters
from pointsman.runtime.errors import FatalError
from pointsman.time_machine.policies import OURS, Fleet, parameters_of, simulate
from pointsman.time_machine.policy_files import read_policy
from pointsman.time_machine.whatif.calibration import SEED, Calibrated, calibrate
from pointsman.time_machine.whatif.recorded_load import RecordedLoad, read_load

_ALONE: Final = (
    "each task runs on the variant that it ran on, as long as it held its slot; of a shared call "
    "it takes its part, and it runs alone"
)


class NothingAskedError(FatalError):
    """No task arrived in the time that was named; the caller names another."""

    code = "no_load"

    def __init__(self, pool: str) -> None:
        super().__init__(
            f"no task of pool {pool} ran or waited in that time.",
            next_step="Name a longer time; `pointsman events ls` shows when there was work.",
        )


class Waits(TypedDict):
    """Seconds from arrival to the beginning of the run, of the tasks that ran."""

    ran: int
    expired: int
    mean_wait_s: float
    p50_wait_s: float
    p90_wait_s: float
    p99_wait_s: float
    max_wait_s: float


class Ran(TypedDict):
    """One simulated policy."""

    policy: str
    parameters: dict[str, float]
    waits: Waits


class WhatIf(TypedDict):
    """The report."""

    begin: float
    end: float
    tasks: int
    devices: int
    recorded: Waits
    calibrated: Ran
    error: dict[str, float | None]
    """Simulated over recorded, less 1; None where nothing was waited for."""
    other: Ran
    change: dict[str, float | None]
    """The other policy over the simulated recorded one, less 1."""
    assumed: list[str]
    simulated: bool
    seconds: float


def what_if(
    log: Path, pool: str, *, begin: float, end: float, policy: str, devices: int | None = None
) -> WhatIf:
    """Raises `NothingAskedError`, `ParametersError` and what reading a log raises."""
    began = time.perf_counter()
    name, parameters = read_policy(policy)
    rows = (row for page in row_pages(log) for row in page)
    load = read_load(rows, pool, begin=begin, end=end)
    calibrated = calibrate(load)
    if not calibrated.trace or not (devices or load.places):
        raise NothingAskedError(pool)
    recorded = _waits(calibrated.waits_s, calibrated.expired)
    fleet = Fleet(load.places or devices or 1, load.slots)
    other_fleet = _fleet(name, fleet._replace(devices=devices or fleet.devices))
    ours = _run(calibrated, OURS, load.parameters, fleet)
    other = _run(calibrated, name, parameters, other_fleet)
    return {
        "begin": begin,
        "end": end,
        "tasks": len(calibrated.trace),
        "devices": other_fleet.devices,
        "recorded": recorded,
        "calibrated": ours,
        "error": _ratios(ours["waits"], recorded),
        "other": other,
        "change": _ratios(other["waits"], ours["waits"]),
        "assumed": [*_assumed(load, calibrated), *_of_slots(name, fleet)],
        "simulated": True,
        "seconds": round(time.perf_counter() - began, 3),
    }


def _fleet(policy: str, fleet: Fleet) -> Fleet:
    """Policies other than ours know devices with one slot only: each slot counts as a device."""
    return fleet if policy == OURS else Fleet(fleet.devices * fleet.slots)


def _run(calibrated: Calibrated, policy: str, parameters: Parameters, fleet: Fleet) -> Ran:
    outcome = simulate(calibrated.trace, policy=policy, fleet=fleet, parameters=parameters)
    return {
        "policy": policy,
        "parameters": parameters_of(policy, fleet, parameters),
        "waits": _waits([wait + calibrated.least_s for wait in outcome.waits_s], outcome.expired),
    }


def _waits(waits_s: Sequence[float], expired: int) -> Waits:
    ordered = sorted(waits_s)
    return {
        "ran": len(ordered),
        "expired": expired,
        "mean_wait_s": round(sum(ordered) / len(ordered), 6) if ordered else 0.0,
        "p50_wait_s": _quantile(ordered, 0.5),
        "p90_wait_s": _quantile(ordered, 0.9),
        "p99_wait_s": _quantile(ordered, 0.99),
        "max_wait_s": round(ordered[-1], 6) if ordered else 0.0,
    }


def _quantile(ordered: Sequence[float], share: float) -> float:
    return round(ordered[max(0, ceil(share * len(ordered)) - 1)], 6) if ordered else 0.0


def _ratios(waits: Waits, base: Waits) -> dict[str, float | None]:
    return {
        "mean_wait_s": _ratio(waits["mean_wait_s"], base["mean_wait_s"]),
        "p90_wait_s": _ratio(waits["p90_wait_s"], base["p90_wait_s"]),
    }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole - 1, 4) if whole else None


def _of_slots(policy: str, fleet: Fleet) -> list[str]:
    if policy == OURS or fleet.slots == 1:
        return []
    return [f"under {policy} each of the {fleet.slots} slots of a device counts as a device"]


def _assumed(load: RecordedLoad, calibrated: Calibrated) -> list[str]:
    loaded = (
        "a load takes the mean of what was measured for the variant"
        if load.dedicated
        else "every device has all variants loaded; each of its slots counts as a device"
    )
    told = [
        _ALONE,
        loaded,
        "devices are free and without a model at the beginning",
        f"{load.places} device(s) with {load.slots} slot(s): those attached, all the time",
    ]
    if calibrated.least_s:
        told.append(
            f"{calibrated.least_s:.6f} s pass between arrival and grant where nothing is in the way"
        )
    if calibrated.drawn:
        told.append(
            f"{calibrated.drawn} task(s) that did not run to an end take a recorded run of their "
            f"variant, drawn with seed {SEED}"
        )
    if calibrated.cached:
        told.append(f"{calibrated.cached} task(s) got another one's result and are left out")
    if calibrated.cancelled:
        told.append(f"{calibrated.cancelled} task(s) were cancelled before they ran: left out")
    return told
