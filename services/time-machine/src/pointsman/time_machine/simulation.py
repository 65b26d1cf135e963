"""Discrete events: tasks arrive, loads and runs end, and a policy says what begins."""

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from pointsman.time_machine.circumstances import (
    Circumstance,
    DeviceState,
    DeviceTurns,
    ModelLimited,
    PoolStops,
    TaskKept,
    TenantLimited,
)
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
    begun_s: dict[int, float] = field(default_factory=dict[int, float])
    """When each task began first, by its number; empty where no circumstances were repeated."""


_Due = tuple[float, int, int, TracedTask | float]
"""When it ends, in which order, on which device, and what: a run, or a load of so many seconds."""


class Simulation:
    """One run of a trace; takes no randomness, so that the same trace gives the same outcome.

    Circumstances are repeated at their times, in the order in which they are given.
    """

    def __init__(
        self,
        trace: list[TracedTask],
        discipline: Discipline,
        circumstances: Iterable[Circumstance] = (),
    ) -> None:
        self._trace = trace
        self._discipline = discipline
        self._circumstances = deque(circumstances)
        self._repeats = discipline.eligible.counts = bool(self._circumstances)
        self._stopped: set[str] = set()
        """Why nothing begins."""
        self._silent: dict[int, list[TracedTask | float]] = {}
        """What does not end there."""
        self._held: set[int] = set()
        self._aside: dict[int, TracedTask] = {}
        """Held tasks that would wait."""
        self._due: list[_Due] = []
        self._order = 0
        self._look: float | None = None
        self._held_since: dict[int, float] = {}
        self._end_s = trace[0].arrival_s
        self._outcome = Outcome([], len(trace), 0, 0.0, 0.0, 0.0, 0, 0.0)

    def run(self) -> Outcome:
        """All tasks of the trace."""
        started_at, outcome = time.perf_counter(), self._outcome
        arrivals = iter(self._trace)
        task = next(arrivals, None)
        while (now := self._next_at(task)) is not None:
            # What ends at the moment of an arrival is free for it.
            if self._due and self._due[0][0] <= now:
                self._take_due(now)
            elif self._circumstances and self._circumstances[0].at <= now:
                self._repeat(self._circumstances.popleft(), now)
            elif task is not None and task.arrival_s <= now:
                self._arrived(task, now)
                task = next(arrivals, None)
            self._look = None
            if not self._stopped:
                began = self._begin_all(now)
                # A look that nothing came of, when nothing can happen any more, would be the first
                # of many: what waits then may never begin.
                if began or task is not None or self._can_change:
                    self._look = self._discipline.next_look(now)
        outcome.expired = self._discipline.expired
        outcome.makespan_s = self._end_s - self._trace[0].arrival_s
        outcome.held_s = sum(max(0.0, self._end_s - at) for at in self._held_since.values())
        outcome.wall_s = time.perf_counter() - started_at
        return outcome

    @property
    def _can_change(self) -> bool:
        return not self._repeats or bool(self._due) or bool(self._circumstances)

    def _begin_all(self, now: float) -> bool:
        began = False
        for begin in self._discipline.begins(now):
            began = True
            if isinstance(begin, Loading):
                self._load(begin, now)
            else:
                self._begin(begin, now)
        return began

    def _next_at(self, task: TracedTask | None) -> float | None:
        times = [self._due[0][0]] if self._due else []
        if task is not None:
            times.append(task.arrival_s)
        if self._circumstances:
            times.append(self._circumstances[0].at)
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
        if not self._repeats or task.number not in outcome.begun_s:
            outcome.waits_s.append(runs_from - task.arrival_s)
        if self._repeats:
            outcome.begun_s.setdefault(task.number, runs_from)
        self._push(runs_from + task.service_s, device, task)

    def _push(self, at: float, device: int, what: TracedTask | float) -> None:
        """A run of this task ends then, or a load of so many seconds."""
        if device in self._silent:
            self._silent[device].append(what)
            return
        self._order += 1
        heappush(self._due, (at, self._order, device, what))

    # -- what operators and the fleet do ----------------------------------------------------------

    def _arrived(self, task: TracedTask, now: float) -> None:
        if task.number in self._held:
            self._aside[task.number] = task
        else:
            self._discipline.arrived(task, now)

    def _repeat(self, circumstance: Circumstance, now: float) -> None:
        eligible = self._discipline.eligible
        match circumstance:
            case DeviceTurns(device=device, state=state):
                self._turn(device, state, now)
            case ModelLimited(model=model, running=running):
                eligible.classes.limit(model, running)
            case TenantLimited(tenant=tenant, running=running, weight=weight):
                eligible.tenants.limit(tenant, running)
                self._discipline.weigh(tenant, weight)
            case TaskKept(task=number, held=True):
                self._held.add(number)
                if self._discipline.withdrawn(self._trace[number], now):
                    self._aside[number] = self._trace[number]
            case TaskKept(task=number):
                self._held.discard(number)
                if (task := self._aside.pop(number, None)) is not None:
                    self._discipline.arrived(task, now)
            case PoolStops(why=why, stops=stops):
                (self._stopped.add if stops else self._stopped.discard)(why)

    def _turn(self, device: int, state: DeviceState, now: float) -> None:
        match state:
            case DeviceState.SERVES | DeviceState.REFUSES:
                self._discipline.serve(device, serves=state is DeviceState.SERVES)
            case DeviceState.SILENT:
                self._silent[device] = self._cut_short(device)
            case DeviceState.GONE:
                lost = self._silent.pop(device, [])
                for each in self._discipline.lose(device, now):
                    lost += self._cut_short(each)
                for task in lost:
                    if isinstance(task, TracedTask):
                        self._arrived(task, now)

    def _cut_short(self, device: int) -> list[TracedTask | float]:
        """What runs or loads there does not end by itself any more."""
        cut = [what for _, _, on, what in self._due if on == device]
        if cut:
            self._due = [due for due in self._due if due[2] != device]
            heapify(self._due)
        return cut
