"""Discrete events: tasks arrive, loads and runs end, and a policy says what begins."""

import time
from dataclasses import dataclass
from heapq import heappop, heappush

from pointsman.time_machine.disciplines import Begin, Discipline, Loading
from pointsman.time_machine.traces import TracedTask


@dataclass(slots=True)
class Outcome:
    """What came out; seconds of the trace unless said otherwise."""

    waits_s: list[float]
    """Arrival to the beginning of the run, the load included; one per task that ran."""
    tasks: int
    swaps: int
    service_s: float
    """Of all runs together; one on several devices counts for each of them."""
    load_s: float
    """Of all loads together, counted likewise."""
    makespan_s: float
    """First arrival to last end."""
    expired: int
    wall_s: float
    """Real seconds that the simulation took."""
    held_s: float = 0.0
    """Of all devices together, with a model: from its first load on each has one."""


class Simulation:
    """One run of a trace; takes no randomness, so that the same trace gives the same outcome."""

    def __init__(self, trace: list[TracedTask], discipline: Discipline) -> None:
        self._trace = trace
        self._discipline = discipline
        self._due: list[tuple[float, int, int, TracedTask | float]] = []
        self._order = 0
        self._look: float | None = None
        self._held_since: dict[int, float] = {}
        self._end_s = trace[0].arrival_s
        self._outcome = Outcome([], len(trace), 0, 0.0, 0.0, 0.0, 0, 0.0)

    def run(self) -> Outcome:
        """All tasks of the trace."""
        began, outcome = time.perf_counter(), self._outcome
        arrivals = iter(self._trace)
        task = next(arrivals, None)
        while (now := self._next_at(task)) is not None:
            # What ends at the moment of an arrival is free for it.
            if self._due and self._due[0][0] <= now:
                self._take_due(now)
            elif task is not None and task.arrival_s <= now:
                self._discipline.arrived(task, now)
                task = next(arrivals, None)
            for begin in self._discipline.begins(now):
                if isinstance(begin, Loading):
                    self._load(begin, now)
                else:
                    self._begin(begin, now)
            self._look = self._discipline.next_look(now)
        outcome.expired = self._discipline.expired
        outcome.makespan_s = self._end_s - self._trace[0].arrival_s
        outcome.held_s = sum(max(0.0, self._end_s - at) for at in self._held_since.values())
        outcome.wall_s = time.perf_counter() - began
        return outcome

    def _next_at(self, task: TracedTask | None) -> float | None:
        times = [self._due[0][0]] if self._due else []
        if task is not None:
            times.append(task.arrival_s)
        if self._look is not None:
            times.append(self._look)
        return min(times, default=None)

    def _take_due(self, now: float) -> None:
        _, _, device, what = heappop(self._due)
        if isinstance(what, TracedTask):
            self._end_s = now
            self._discipline.ended(device, what, now)
        else:
            self._discipline.loaded(device, what, now)

    def _load(self, loading: Loading, now: float) -> None:
        device, load_s, others = loading
        self._outcome.swaps += 1
        self._outcome.load_s += load_s * (1 + len(others))
        for each in (device, *others):
            self._held_since.setdefault(each, now)
        self._push(now + load_s, device, load_s)

    def _begin(self, begin: Begin, now: float) -> None:
        device, task, loads = begin
        outcome = self._outcome
        runs_from = now
        if loads:
            runs_from += task.load_s
            outcome.swaps += 1
            outcome.load_s += task.load_s
            self._held_since.setdefault(device, now)
        outcome.service_s += task.service_s * task.devices_per_instance
        outcome.waits_s.append(runs_from - task.arrival_s)
        self._push(runs_from + task.service_s, device, task)

    def _push(self, at: float, device: int, what: TracedTask | float) -> None:
        """A run of this task ends then, or a load of so many seconds."""
        self._order += 1
        heappush(self._due, (at, self._order, device, what))
