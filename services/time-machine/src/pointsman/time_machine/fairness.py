"""Two tenants of equal weight on the same model, one with ten times the arrivals of the other.

Both backlogged: neither gets more than the other, but for what a run or a late task makes.
The light one at half of its share: it is served about as if its half of the devices were its own.
"""

import random
from collections import Counter
from collections.abc import Iterator
from math import exp, log
from statistics import NormalDist
from typing import Final, NamedTuple, TypedDict

from pointsman.policy.parameters import DEFAULTS, Parameters
from pointsman.time_machine.disciplines import Begin, Loading
from pointsman.time_machine.figures import quantile
from pointsman.time_machine.simulation import Simulation
from pointsman.time_machine.switching import Switching
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.workload import Workload

HEAVY: Final = "heavy"
LIGHT: Final = "light"
RATIO: Final = 10.0
"""Arrivals of the heavy tenant for each of the light one."""

_LOAD_S: Final = 20.0


class Backlogged(TypedDict):
    """While tasks of both wait; device-seconds of what began."""

    heavy_s: float
    light_s: float
    largest_difference_s: float
    allowed_difference_s: float
    """Two longest runs and the gap by which a tenant may be ahead and pass with a late task."""


class AtHalfItsShare(TypedDict):
    """Latency of the light tenant: arrival to the end of the run."""

    p99_latency_s: float
    own_share_p99_s: float
    """The same tasks on a server of its own as fast as its share."""
    gap_s: float
    """What the heavy tenant may be ahead by, over the devices that serve it."""
    longest_run_s: float
    bound_s: float
    """The three above together."""


class Fairness(TypedDict):
    """Figures of one seed."""

    simulated: str
    devices: int
    arrivals: float
    backlogged: Backlogged
    light: AtHalfItsShare


class _Start(NamedTuple):
    at: float
    task: TracedTask
    waiting: frozenset[str]
    """Tenants with tasks that wait after it."""


class _Watched(Switching):
    """Our policy, with its starts."""

    def __init__(self, devices: int, parameters: Parameters) -> None:
        super().__init__(devices, parameters)
        self.starts: list[_Start] = []
        self._of_tenant: Counter[str] = Counter()

    def arrived(self, task: TracedTask, now: float) -> None:
        self._of_tenant[task.tenant] += 1
        super().arrived(task, now)

    def begins(self, now: float) -> Iterator[Begin | Loading]:
        for begin in super().begins(now):
            if isinstance(begin, Begin):
                self._of_tenant[begin.task.tenant] -= 1
                waiting = frozenset(+self._of_tenant)
                self.starts.append(_Start(now, begin.task, waiting))
            yield begin


def measure_fairness(
    *, seed: int, light_tasks: int, devices: int, parameters: Parameters = DEFAULTS
) -> Fairness:
    """Simulate both cases with tasks drawn from this seed."""
    return {
        "simulated": "arrivals and runs are drawn; no device ran anything",
        "devices": devices,
        "arrivals": RATIO,
        "backlogged": _backlogged(seed, light_tasks, devices, parameters),
        "light": _at_half(seed, light_tasks, devices, parameters),
    }


def _backlogged(seed: int, tasks: int, devices: int, parameters: Parameters) -> Backlogged:
    # Twice its share, so that it always waits.
    trace = _drawn(seed, tasks, share=1.0, devices=devices)
    had_s, largest_s = {HEAVY: 0.0, LIGHT: 0.0}, 0.0
    for start in _starts(trace, devices, parameters):
        if len(start.waiting) == len(had_s):
            had_s[start.task.tenant] += start.task.service_s
            largest_s = max(largest_s, abs(had_s[HEAVY] - had_s[LIGHT]))
    longest_s = max(task.service_s for task in trace)
    return {
        "heavy_s": round(had_s[HEAVY], 1),
        "light_s": round(had_s[LIGHT], 1),
        "largest_difference_s": round(largest_s, 1),
        "allowed_difference_s": round(2 * longest_s + _gap_s(parameters, longest_s), 1),
    }


def _at_half(seed: int, tasks: int, devices: int, parameters: Parameters) -> AtHalfItsShare:
    trace = _drawn(seed, tasks, share=0.25, devices=devices)
    latencies = [
        start.at - start.task.arrival_s + start.task.service_s
        for start in _starts(trace, devices, parameters)
        if start.task.tenant == LIGHT
    ]
    longest_s = max(task.service_s for task in trace)
    gap_s = _gap_s(parameters, longest_s) / devices
    own_s = _p99(_latencies_alone([t for t in trace if t.tenant == LIGHT], devices / 2))
    return {
        "p99_latency_s": round(_p99(latencies), 1),
        "own_share_p99_s": round(own_s, 1),
        "gap_s": round(gap_s, 1),
        "longest_run_s": round(longest_s, 1),
        "bound_s": round(own_s + gap_s + longest_s, 1),
    }


def _gap_s(parameters: Parameters, longest_s: float) -> float:
    return max(parameters.least_gap_s, longest_s)


def _starts(trace: list[TracedTask], devices: int, parameters: Parameters) -> list[_Start]:
    policy = _Watched(devices, parameters)
    Simulation(trace, policy).run()
    return policy.starts


def _latencies_alone(tasks: list[TracedTask], speed: float) -> Iterator[float]:
    """One task after the other on one server; a single one is no faster than on a device."""
    free_at = 0.0
    for task in tasks:
        begins = max(task.arrival_s, free_at)
        free_at = begins + task.service_s / speed
        yield begins - task.arrival_s + task.service_s


def _p99(values: Iterator[float] | list[float]) -> float:
    return quantile(sorted(values), 0.99)


def _drawn(seed: int, light_tasks: int, *, share: float, devices: int) -> list[TracedTask]:
    """Poisson arrivals; the light tenant asks for this share of all devices."""
    draws, shape = random.Random(seed), Workload()
    sigma = log(shape.run_p99_s / shape.run_p50_s) / NormalDist().inv_cdf(0.99)
    mean_s = shape.run_p50_s * exp(sigma**2 / 2)
    rows: list[tuple[float, str, float]] = []
    for tenant, times in ((LIGHT, 1.0), (HEAVY, RATIO)):
        at = 0.0
        for _ in range(int(times * light_tasks)):
            at += draws.expovariate(times * share * devices / mean_s)
            rows.append((at, tenant, draws.lognormvariate(log(shape.run_p50_s), sigma)))
    return [
        TracedTask(number, at, "model", run_s, tenant=tenant, load_s=_LOAD_S)
        for number, (at, tenant, run_s) in enumerate(sorted(rows))
    ]
