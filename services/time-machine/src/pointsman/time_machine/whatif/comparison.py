"""What another policy would have done with a recorded load, beside what ours did.

The simulation is judged first: our policy runs on the calibrated load, and its waits stand beside
the recorded ones. A difference between policies that is smaller than that error says nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple, TypedDict

from pointsman.policy.parameters import Parameters
from pointsman.runtime.errors import FatalError
from pointsman.time_machine.figures import quantile
from pointsman.time_machine.moments import Span
from pointsman.time_machine.policies import OURS, Fleet, parameters_of, simulate
from pointsman.time_machine.policy_files import read_policy
from pointsman.time_machine.progress import Progress, pages_told
from pointsman.time_machine.whatif.assumptions import Fleets, assumptions
from pointsman.time_machine.whatif.calibration import Calibrated, calibrate
from pointsman.time_machine.whatif.recorded_load import RecordedLoad, read_load

_AS_RECORDED: Final = f"{OURS} as recorded"


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

    name: str
    """Tells it from the other one, which may be the same policy set otherwise."""
    policy: str
    parameters: dict[str, float]
    waits: Waits


class _Candidate(NamedTuple):
    """A policy to simulate."""

    name: str
    policy: str
    parameters: Parameters
    fleet: Fleet


class WhatIf(TypedDict):
    """The report."""

    begin: float
    end: float
    tasks: int
    devices: int
    slots: int
    """Of each device, under the other policy."""
    recorded: Waits
    calibrated: Ran
    error: dict[str, float | None]
    """Simulated over recorded, less 1; None where nothing was waited for."""
    other: Ran
    change: dict[str, float | None]
    """The other policy over the simulated recorded one, less 1."""
    times: dict[str, Any]
    """Where run and load times come from and how far they are off; see `TimesModel`."""
    not_repeated: dict[str, int]
    """What the recorded time had and the simulation has not, by its name."""
    assumed: list[str]
    simulated: bool
    seconds: float


def what_if(
    log: Path,
    pool: str,
    span: Span,
    *,
    policy: str,
    devices: int | None = None,
    progress: Progress | None = None,
) -> WhatIf:
    """Raises `NothingAskedError`, `ParametersError` and what reading a log raises."""
    began = time.perf_counter()
    name, parameters = read_policy(policy)
    rows = (row for page in pages_told(log, progress) for row in page)
    load = read_load(rows, pool, span)
    calibrated = calibrate(load, gangs=name == OURS)
    if not calibrated.trace or not (devices or load.devices):
        raise NothingAskedError(pool)
    recorded = _waits(calibrated.waits_s, calibrated.expired)
    fleets = _fleets(load, name, devices)
    recorded_fleet = _simulated(fleets.recorded, OURS, load)
    other_fleet = _simulated(fleets.other, name, load)
    ours = _run(calibrated, _Candidate(_AS_RECORDED, OURS, load.parameters, recorded_fleet))
    other = _run(calibrated, _Candidate(_name(name, policy), name, parameters, other_fleet))
    return {
        "begin": span.begin,
        "end": span.end,
        "tasks": len(calibrated.trace),
        "devices": fleets.other.devices,
        "slots": fleets.other.slots,
        "recorded": recorded,
        "calibrated": ours,
        "error": _ratios(ours["waits"], recorded),
        "other": other,
        "change": _ratios(other["waits"], ours["waits"]),
        "times": asdict(calibrated.times),
        "not_repeated": load.not_repeated,
        "assumed": assumptions(load, calibrated, fleets),
        "simulated": True,
        "seconds": round(time.perf_counter() - began, 3),
    }


def _fleets(load: RecordedLoad, policy: str, devices: int | None) -> Fleets:
    recorded = Fleet(len(load.devices) or devices or 1, load.slots)
    other = recorded._replace(devices=devices or recorded.devices)
    return Fleets(recorded, other, places=not load.dedicated, other_policy=policy)


def _simulated(fleet: Fleet, policy: str, load: RecordedLoad) -> Fleet:
    """Where all is loaded each slot is as good as a device; only our policy knows slots."""
    if policy != OURS or not load.dedicated:
        return Fleet(fleet.devices * fleet.slots)
    return fleet


def _name(policy: str, asked: str) -> str:
    if policy != OURS:
        return policy
    return f"{OURS} by default" if asked == OURS else f"{OURS} by {Path(asked).name}"


def _run(calibrated: Calibrated, candidate: _Candidate) -> Ran:
    name, policy, parameters, fleet = candidate
    outcome = simulate(calibrated.trace, policy=policy, fleet=fleet, parameters=parameters)
    return {
        "name": name,
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
        "p50_wait_s": round(quantile(ordered, 0.5), 6),
        "p90_wait_s": round(quantile(ordered, 0.9), 6),
        "p99_wait_s": round(quantile(ordered, 0.99), 6),
        "max_wait_s": round(ordered[-1], 6) if ordered else 0.0,
    }


def _ratios(waits: Waits, base: Waits) -> dict[str, float | None]:
    return {
        "mean_wait_s": _ratio(waits["mean_wait_s"], base["mean_wait_s"]),
        "p90_wait_s": _ratio(waits["p90_wait_s"], base["p90_wait_s"]),
    }


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole - 1, 4) if whole else None
