"""A recorded load as a trace: how long each task would have taken, whoever decides.

A task that ran takes the slot time that it took. One that did not takes one of the slot times of
its variant, drawn with a fixed seed, or what the registry says where the variant never ran.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final, NamedTuple

from pointsman.contracts import events
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.whatif.asked_tasks import CACHED, EXPIRED, AskedTask
from pointsman.time_machine.whatif.kept_back import Spell, closings, overlap_s
from pointsman.time_machine.whatif.recorded_load import RecordedLoad

SEED: Final = 1

_AT_ONCE_S: Final = 1e-6

_WHOLE: Final = "whole"
_KEPT_BACK: Final = "kept back"
_NOT_RUN: Final = "not run"


@dataclass(frozen=True, slots=True)
class TimesModel:
    """Where the run and load times of a trace come from, and how far they are off.

    Errors are means of the absolute deviation over the mean; None: nothing to tell them from.
    """

    recorded: int
    """Tasks that take the slot time that was recorded for them."""
    drawn: int
    """Tasks whose run time was drawn."""
    drawn_error: float | None
    """Of a drawn run: what draws would have missed of those that ran."""
    loads: int
    """Measured loads; a load takes the mean of its variant."""
    load_error: float | None


class KeptBackTask(NamedTuple):
    """From when to when operators kept a task back; seconds of the trace."""

    holds: list[Spell]
    pauses: list[Spell]
    """Of all that it belongs to."""
    waits: list[Spell]
    """For a better variant than it got in the end, of which nothing might begin: not before it was
    due did it do with less."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A trace, what really happened to its tasks, and what had to be assumed."""

    trace: list[TracedTask]
    kept: dict[int, KeptBackTask]
    """Tasks that operators ever kept back, by their numbers."""
    expired: int
    """Recorded expiries."""
    times: TimesModel
    boosted: int
    """Tasks whose senders wished them earlier."""
    not_first: int
    """Tasks that ran on another variant than their first."""
    gangs: int
    """Models of the trace that take several devices in the pool, whether or not they do here."""
    waited_s: dict[int, float] = field(default_factory=dict[int, float])
    """Recorded waits of those that ran, by their numbers."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """Tasks that no policy would have run, or that ran otherwise, by `_left_out`."""

    @property
    def waits_s(self) -> list[float]:
        """The recorded waits."""
        return list(self.waited_s.values())

    def least_s(self, simulated_s: Mapping[int, float]) -> float:
        """From arrival to grant where nothing is in the way: the decision and its commit.

        What 99 of 100 tasks waited at least of those that begin at once in the simulation.
        """
        waits_s = sorted(
            self.waited_s[n]
            for n, wait in simulated_s.items()
            if wait < _AT_ONCE_S and n in self.waited_s
        )
        return waits_s[len(waits_s) // 100] if waits_s else 0.0

    def wait_s(self, number: int, begun_at: float, later: Iterable[Spell] = ()) -> float:
        """What a task waited that began then, from its arrival, without what kept it back.

        `later` is what kept it back behind the time that is simulated.
        """
        arrival = self.trace[number].arrival_s
        kept = self.kept.get(number)
        spells = later if kept is None else (*kept.holds, *kept.pauses, *later)
        return begun_at - arrival - overlap_s(spells, arrival, begun_at)

    @property
    def cached(self) -> int:
        """Another task's result was given, nothing was to be run."""
        return self.left_out[CACHED]

    @property
    def wholes(self) -> int:
        """They ran in parts, which are tasks of the trace."""
        return self.left_out[_WHOLE]

    @property
    def kept_back(self) -> int:
        """Until they ended or the time was over, something other than the queue kept them back."""
        return self.left_out[_KEPT_BACK]

    @property
    def not_run(self) -> int:
        """They were cancelled, or failed, before they were granted."""
        return self.left_out[_NOT_RUN]


def calibrate(load: RecordedLoad, *, gangs: bool = False) -> Calibrated:
    """Make a trace of a load; times are seconds from its beginning.

    Models that take several devices do so with `gangs`, otherwise they take one.
    """
    tasks = sorted(load.tasks.values(), key=lambda task: (task.arrival, task.accepted.at))
    left_out = Counter(_left_out(task, load.end) for task in tasks)
    asked = [task for task in tasks if not _left_out(task, load.end)]
    model = _ServiceTimes(load, asked, gangs=gangs)
    closed = closings(load.kept_back.circumstances(load.end, load.models))
    trace = [model.traced(number, task) for number, task in enumerate(asked)]
    kept = {
        number: spells
        for number, task in enumerate(asked)
        if any(spells := _kept_back(load, task, trace[number].model, closed))
    }
    calibrated = Calibrated(
        trace=trace,
        kept=kept,
        expired=sum(task.ended == EXPIRED for task in asked),
        times=model.told(asked),
        boosted=sum(task.accepted.boost_s > 0 for task in asked),
        not_first=sum(task.variant not in {"", task.accepted.variants[0]} for task in asked),
        gangs=sum(load.devices_of(variant) > 1 for variant in {task.model for task in trace}),
        left_out=left_out,
    )
    for number, task in enumerate(asked):
        if task.begun_at is not None:
            later = _of_trace(load, load.later_pauses(task, trace[number].model))
            wait_s = calibrated.wait_s(number, task.begun_at - load.begin, later)
            calibrated.waited_s[number] = max(0.0, wait_s)
    return calibrated


def _kept_back(
    load: RecordedLoad, task: AskedTask, variant: str, closed: Mapping[str, list[Spell]]
) -> KeptBackTask:
    spells = (load.holds(task), load.pauses(task, variant), _waits_for_better(task, closed))
    return KeptBackTask(*(_of_trace(load, each) for each in spells))


def _of_trace(load: RecordedLoad, spells: Iterable[Spell]) -> list[Spell]:
    return [(since - load.begin, until - load.begin) for since, until in spells]


def _waits_for_better(task: AskedTask, closed: Mapping[str, list[Spell]]) -> list[Spell]:
    variants, arrival = task.accepted.variants, task.arrival
    better = variants[: variants.index(task.variant)] if task.variant in variants else ()
    ends = [
        until
        for each in better
        for since, until in closed.get(each, ())
        if since <= arrival < until
    ]
    until = min(*ends, task.accepted.key) if better and len(ends) == len(better) else arrival
    # One that began before that did not wait for a better one.
    waits = until > arrival and (task.begun_at is None or task.begun_at >= until)
    return [(arrival, until)] if waits else []


def _left_out(task: AskedTask, end: float) -> str:
    """Why a task is not in the trace; empty: it is."""
    if task.ended == CACHED:
        return CACHED
    if task.begun_at is None:
        if task.is_whole:
            return _WHOLE
        if task.ended not in {"", EXPIRED}:
            return _NOT_RUN
        if task.kept_back:
            return _KEPT_BACK
    return _KEPT_BACK if task.arrival >= end else ""


class _ServiceTimes:
    """Slot times and load times by variant, as far as they were recorded."""

    def __init__(self, load: RecordedLoad, asked: Sequence[AskedTask], *, gangs: bool) -> None:
        self._load = load
        self._gangs = gangs
        self._draws = random.Random(SEED)
        self._usual = _usual_variants(asked)
        self._drawn = 0

    def traced(self, number: int, task: AskedTask) -> TracedTask:
        accepted, begin = task.accepted, self._load.begin
        variant = task.variant or self._variant(accepted)
        deadline = accepted.deadline
        return TracedTask(
            number=number,
            arrival_s=task.arrival - begin,
            model=variant,
            service_s=task.occupied_s if task.ran else self._draw(variant),
            tenant=accepted.tenant,
            priority_class=accepted.priority_class,
            deadline_s=None if deadline is None else max(0.0, deadline - begin),
            load_s=self._load_s(variant),
            devices_per_instance=self._load.devices_of(variant) if self._gangs else 1,
        )

    def told(self, asked: Sequence[AskedTask]) -> TimesModel:
        draws = random.Random(SEED)
        tried = (
            (task.occupied_s, draws.choice(runs))
            for task in asked
            if task.ran and (runs := self._load.runs_s.get(task.variant))
        )
        loads = [(each, fmean(all_)) for all_ in self._load.loads_s.values() for each in all_]
        return TimesModel(
            recorded=len(asked) - self._drawn,
            drawn=self._drawn,
            drawn_error=_deviation(tried),
            loads=len(loads),
            load_error=_deviation(loads),
        )

    def _variant(self, accepted: events.TaskAccepted) -> str:
        return self._usual.get((accepted.family, accepted.variants), accepted.variants[0])

    def _draw(self, variant: str) -> float:
        self._drawn += 1
        runs = self._load.runs_s.get(variant)
        if runs:
            return self._draws.choice(runs)
        registered = self._load.registered.get(variant)
        return registered.service_s if registered is not None else 0.0

    def _load_s(self, variant: str) -> float:
        if not self._load.dedicated:
            return 0.0
        loads = self._load.loads_s.get(variant)
        if loads:
            return fmean(loads)
        registered = self._load.registered.get(variant)
        return registered.load_s if registered is not None else 0.0


def _deviation(pairs: Iterable[tuple[float, float]]) -> float | None:
    """Mean of how far the second is off, over the mean of the first."""
    missed_s = real_s = 0.0
    for real, taken in pairs:
        missed_s += abs(taken - real)
        real_s += real
    return round(missed_s / real_s, 4) if real_s else None


def _usual_variants(asked: Sequence[AskedTask]) -> dict[tuple[str, tuple[str, ...]], str]:
    """The variant that most tasks of a queue class ran on."""
    counts: dict[tuple[str, tuple[str, ...]], Counter[str]] = {}
    for task in asked:
        if task.variant:
            class_id = task.accepted.family, task.accepted.variants
            counts.setdefault(class_id, Counter())[task.variant] += 1
    return {class_id: count.most_common(1)[0][0] for class_id, count in counts.items()}
