"""What another policy would have done with a recorded load, beside what ours did.

The simulation is judged first: our policy runs on the calibrated load, and its waits stand beside
the recorded ones. A difference between policies that is smaller than that error says nothing.
"""

import time
from collections.abc import Iterable, Mapping
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
from pointsman.time_machine.whatif.repeated_past import circumstances

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
    """What the simulation runs it on."""
    places: int
    """Devices of that for each device of then."""


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
    """Simulated over recorded, less 1, of the tasks that ran in both; None where nothing was waited
    for."""
    other: Ran
    change: dict[str, float | None]
    """The other policy over the simulated recorded one, less 1."""
    times: dict[str, Any]
    """Where run and load times come from and how far they are off; see `TimesModel`."""
    repeated: dict[str, int]
    """What operators and the fleet did in the recorded time, and in the simulation, by its name."""
    not_repeated: dict[str, int]
    """What the recorded time had and the simulation has not, likewise."""
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
    fleets = _fleets(load, name, devices)
    as_recorded = _candidate(_AS_RECORDED, OURS, load.parameters, fleets.recorded, load)
    asked = _candidate(_name(name, policy), name, parameters, fleets.other, load)
    ours, other, least_s = _both(load, calibrated, as_recorded, asked)
    return {
        "begin": span.begin,
        "end": span.end,
        "tasks": len(calibrated.trace),
        "devices": fleets.other.devices,
        "slots": fleets.other.slots,
        "recorded": _waits(calibrated.waited_s.values(), calibrated.expired),
        "calibrated": ours.told(),
        "error": _error(ours.waited_s, calibrated.waited_s),
        "other": other.told(),
        "change": _ratios(other.waits(), ours.waits()),
        "times": asdict(calibrated.times),
        "repeated": load.repeated,
        "not_repeated": load.not_repeated,
        "assumed": assumptions(load, calibrated, fleets, least_s),
        "simulated": True,
        "seconds": round(time.perf_counter() - began, 3),
    }


def _fleets(load: RecordedLoad, policy: str, devices: int | None) -> Fleets:
    recorded = Fleet(len(load.devices) or devices or 1, load.slots)
    other = recorded._replace(devices=devices or recorded.devices)
    return Fleets(recorded, other, places=not load.dedicated, other_policy=policy)


def _candidate(
    name: str, policy: str, parameters: Parameters, fleet: Fleet, load: RecordedLoad
) -> _Candidate:
    """Where all is loaded each slot is as good as a device; only our policy knows slots."""
    if policy != OURS or not load.dedicated:
        by_slots = Fleet(fleet.devices * fleet.slots)
        return _Candidate(name, policy, parameters, by_slots, places=fleet.slots)
    return _Candidate(name, policy, parameters, fleet, places=1)


def _name(policy: str, asked: str) -> str:
    if policy != OURS:
        return policy
    return f"{OURS} by default" if asked == OURS else f"{OURS} by {Path(asked).name}"


class _Simulated(NamedTuple):
    """What came out of one candidate."""

    candidate: _Candidate
    waited_s: dict[int, float]
    """By the number of the task."""
    expired: int

    def later(self, by_s: float) -> "_Simulated":
        """Each task has waited so much longer."""
        return self._replace(waited_s={each: s + by_s for each, s in self.waited_s.items()})

    def waits(self) -> Waits:
        return _waits(self.waited_s.values(), self.expired)

    def told(self) -> Ran:
        name, policy, parameters, fleet, _ = self.candidate
        return {
            "name": name,
            "policy": policy,
            "parameters": parameters_of(policy, fleet, parameters),
            "waits": self.waits(),
        }


def _simulated(load: RecordedLoad, calibrated: Calibrated, candidate: _Candidate) -> _Simulated:
    outcome = simulate(
        calibrated.trace,
        policy=candidate.policy,
        fleet=candidate.fleet,
        parameters=candidate.parameters,
        circumstances=circumstances(load, calibrated, candidate.fleet, candidate.places),
        expected=load.expected,
    )
    waited_s = {each: calibrated.wait_s(each, at) for each, at in outcome.begun_s.items()}
    return _Simulated(candidate, waited_s, outcome.expired)


def _both(
    load: RecordedLoad, calibrated: Calibrated, first: _Candidate, second: _Candidate
) -> tuple[_Simulated, _Simulated, float]:
    """Each wait with the time that passes where nothing is in the way, and that time."""
    ours, other = (_simulated(load, calibrated, each) for each in (first, second))
    least_s = calibrated.least_s(ours.waited_s)
    return ours.later(least_s), other.later(least_s), least_s


def _error(
    simulated_s: Mapping[int, float], recorded_s: Mapping[int, float]
) -> dict[str, float | None]:
    """Of the tasks that ran in both."""
    both = simulated_s.keys() & recorded_s.keys()
    simulated, recorded = ([of[each] for each in both] for of in (simulated_s, recorded_s))
    return _ratios(_waits(simulated, 0), _waits(recorded, 0))


def _waits(waits_s: Iterable[float], expired: int) -> Waits:
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
