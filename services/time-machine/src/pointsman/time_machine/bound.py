"""What no policy can fall below: bounds for waits on devices that run one task at a time.

They hold for every policy that runs all tasks and interrupts none, even one that knows all
arrivals, runs and loads beforehand and may load a model before it is asked for. A wait goes from
arrival `a` to the beginning of the run `S`; there are K devices and task j runs for `s_j`.

**Mean.** Let `y_j(t)` be 1 while j runs. Then `y_j = 0` before `a_j`, the area under `y_j` is
`s_j`, all together are never more than K, and the mean moment of the run is
`M_j = (1/s_j) * integral of t y_j(t) = S_j + s_j/2`. Among *all* functions with the first three
properties, those of one server of speed K included, the sum of the `M_j` is least where the task
with the smallest `s_j` that is there has the whole K: giving a moment to j instead of i gains
`1/s_j - 1/s_i` per second that it comes earlier (Goemans, "A supermodular relaxation for scheduling
with release dates", 1996). Hence `sum S_j >= sum M_j - sum s_j/2`. Loads take no time here. Busy
periods of that server do not touch each other, and in each of them waits are not negative.

**Percentiles.** Take the tasks that arrive in `[t1, t2]`, and those of them that wait no longer
than x. They begin in `[t1, t2 + x]`; on each device at most one of them runs beyond its end. Their
models but K were on no device at `t1`, nor being loaded, so they are loaded inside. So

    sum of runs - K longest runs + sum of loads - K longest loads  <=  K (t2 + x - t1),

each model's load counted once. If the left side is greater, some tasks wait for longer. Leaving
out task j gains at most `s_j + load/n`, where n tasks of the interval have its model; so at least
as many wait longer than x as the largest of these figures have to be added up to close the gap. The
intervals are the busy periods of a server of speed K, each up to its moment of most work; no two
share a task, so that these numbers add up over all of them.
"""

from bisect import bisect_left
from collections import Counter
from heapq import heappop, heappush, nlargest
from itertools import accumulate
from math import ceil, inf
from typing import Final, NamedTuple, TypedDict

from pointsman.time_machine.traces import TracedTask

_HALVINGS: Final = 40


class Bounds(TypedDict):
    """Seconds; 0 where nothing can be said."""

    mean_wait_s: float
    p99_wait_s: float
    max_wait_s: float


def wait_bounds(trace: list[TracedTask], devices: int) -> Bounds:
    """Bounds for the figures of any policy over the tasks of a trace."""
    crowds = _crowds(trace, devices)
    return {
        "mean_wait_s": mean_wait_bound_s(trace, devices),
        "p99_wait_s": _quantile_bound_s(crowds, devices, len(trace), 0.99),
        "max_wait_s": _quantile_bound_s(crowds, devices, len(trace), 1.0),
    }


def mean_wait_bound_s(trace: list[TracedTask], devices: int) -> float:
    """Bound for the mean wait."""
    periods = _busy_periods(trace, devices)
    return sum(max(0.0, _least_waits_s(tasks, devices)) for tasks in periods) / len(trace)


def quantile_wait_bound_s(trace: list[TracedTask], devices: int, share: float) -> float:
    """Bound for the nearest-rank quantile of the waits."""
    return _quantile_bound_s(_crowds(trace, devices), devices, len(trace), share)


def _busy_periods(trace: list[TracedTask], devices: int) -> list[list[TracedTask]]:
    """Tasks that arrive while one server of speed K has work from the first of them on."""
    periods: list[list[TracedTask]] = []
    busy_until = -inf
    for task in trace:
        if task.arrival_s >= busy_until:
            periods.append([])
            busy_until = task.arrival_s
        periods[-1].append(task)
        busy_until += task.service_s / devices
    return periods


def _least_waits_s(tasks: list[TracedTask], devices: int) -> float:
    """The least sum of `M_j - s_j/2 - a_j` in one busy period."""
    waiting: list[tuple[float, int]] = []
    left_s: list[float] = []
    total_s, now = 0.0, tasks[0].arrival_s
    arrivals = [*(task.arrival_s for task in tasks[1:]), inf]
    for number, (task, until) in enumerate(zip(tasks, arrivals, strict=True)):
        heappush(waiting, (task.service_s, number))
        left_s.append(task.service_s / devices)
        total_s -= task.service_s / 2 + task.arrival_s
        while waiting and now < until:
            run_s, shortest = waiting[0]
            part_s = min(left_s[shortest], until - now)
            total_s += (now + part_s / 2) * part_s * devices / run_s if run_s else now
            now += part_s
            left_s[shortest] -= part_s
            if now < until:
                heappop(waiting)
    return total_s


class _Crowd(NamedTuple):
    """A busy period up to its moment of most work."""

    excess_s: float
    """Device-seconds that are too many if nobody waits at all."""
    gains_s: list[float]
    """What leaving out one, two, ... tasks gains at most."""


def _crowds(trace: list[TracedTask], devices: int) -> list[_Crowd]:
    loads: dict[str, float] = {}
    for task in trace:
        loads[task.model] = min(task.load_s, loads.get(task.model, inf))
    return [_crowd(period, loads, devices) for period in _busy_periods(trace, devices)]


def _crowd(period: list[TracedTask], loads: dict[str, float], devices: int) -> _Crowd:
    crowd, excess_s = _fullest(period, loads, devices)
    tasks_of = Counter(task.model for task in crowd)
    spilled_s = sum(nlargest(devices, (task.service_s for task in crowd)))
    resident_s = sum(nlargest(devices, (loads[model] for model in tasks_of)))
    gains = (task.service_s + loads[task.model] / tasks_of[task.model] for task in crowd)
    return _Crowd(excess_s - spilled_s - resident_s, list(accumulate(sorted(gains, reverse=True))))


def _fullest(
    period: list[TracedTask], loads: dict[str, float], devices: int
) -> tuple[list[TracedTask], float]:
    """The tasks up to the moment of most work, and by how much that is more than can be done."""
    most_s, until, work_s = -inf, 0, 0.0
    seen: set[str] = set()
    for number, task in enumerate(period):
        work_s += task.service_s
        if task.model not in seen:
            seen.add(task.model)
            work_s += loads[task.model]
        excess_s = work_s - devices * (task.arrival_s - period[0].arrival_s)
        if excess_s > most_s:
            most_s, until = excess_s, number + 1
    return period[:until], most_s


def _quantile_bound_s(crowds: list[_Crowd], devices: int, tasks: int, share: float) -> float:
    """The largest x that more tasks exceed than may exceed the quantile."""
    may_exceed = tasks - ceil(share * tasks)
    low_s, high_s = 0.0, max(0.0, max(crowd.excess_s for crowd in crowds) / devices)
    for _ in range(_HALVINGS):
        middle_s = (low_s + high_s) / 2
        if _exceeding(crowds, devices * middle_s) > may_exceed:
            low_s = middle_s
        else:
            high_s = middle_s
    return low_s


def _exceeding(crowds: list[_Crowd], allowed_s: float) -> int:
    """How many tasks have to be left out of all busy periods together."""
    count = 0
    for crowd in crowds:
        missing_s = crowd.excess_s - allowed_s
        if missing_s > 0:
            count += bisect_left(crowd.gains_s, missing_s) + 1
    return count
