"""A recorded load as a trace: how long each task would have taken, whoever decides.

A task that ran takes the slot time that it took. One that did not takes one of the slot times of
its variant, drawn with a fixed seed, or what the registry says where the variant never ran.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from pointsman.contracts import events
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.whatif.recorded_load import AskedTask, RecordedLoad

SEED: Final = 1

_CACHED: Final = "cached"
_CANCELLED: Final = events.TaskCancelled.__name__


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A trace, what really happened to its tasks, and what had to be assumed."""

    trace: list[TracedTask]
    waits_s: list[float]
    """Recorded waits of those that ran, from arrival to the first grant."""
    least_s: float
    """From arrival to grant where nothing is in the way: the decision and its commit."""
    expired: int
    """Recorded expiries."""
    drawn: int
    """Tasks whose run time was drawn."""
    cached: int
    """Left out: another task's result was given, nothing was to be run."""
    cancelled: int
    """Left out: somebody cancelled them before they ran, at a moment of his own."""


def calibrate(load: RecordedLoad) -> Calibrated:
    """Make a trace of a load; times are seconds from its beginning."""
    tasks = sorted(load.tasks.values(), key=lambda task: (task.arrival, task.accepted.at))
    asked = [task for task in tasks if not _left_out(task)]
    model = _ServiceTimes(load, asked)
    trace = [model.traced(number, task) for number, task in enumerate(asked)]
    begun = ((task, task.begun_at) for task in asked if task.begun_at is not None)
    waits = [max(0.0, begun_at - task.arrival) for task, begun_at in begun]
    return Calibrated(
        trace=trace,
        waits_s=waits,
        least_s=_least(waits),
        expired=sum(task.ended == events.TaskExpired.__name__ for task in asked),
        drawn=model.drawn,
        cached=sum(task.ended == _CACHED for task in tasks),
        cancelled=sum(task.ended == _CANCELLED and task.begun_at is None for task in tasks),
    )


def _least(waits_s: Sequence[float]) -> float:
    """What 99 of 100 tasks waited at least."""
    return sorted(waits_s)[len(waits_s) // 100] if waits_s else 0.0


def _left_out(task: AskedTask) -> bool:
    return task.ended == _CACHED or (task.ended == _CANCELLED and task.begun_at is None)


class _ServiceTimes:
    """Slot times and load times by variant, as far as they were recorded."""

    def __init__(self, load: RecordedLoad, asked: Sequence[AskedTask]) -> None:
        self._load = load
        self._draws = random.Random(SEED)
        self._usual = _usual_variants(asked)
        self.drawn = 0

    def traced(self, number: int, task: AskedTask) -> TracedTask:
        accepted, begin = task.accepted, self._load.begin
        variant = task.variant or self._variant(accepted)
        deadline = accepted.deadline
        return TracedTask(
            number=number,
            arrival_s=task.arrival - begin,
            model=variant,
            service_s=task.occupied_s if _ran(task) else self._draw(variant),
            tenant=accepted.tenant,
            priority_class=accepted.priority_class,
            deadline_s=None if deadline is None else max(0.0, deadline - begin),
            load_s=self._load_s(variant),
        )

    def _variant(self, accepted: events.TaskAccepted) -> str:
        return self._usual.get((accepted.family, accepted.variants), accepted.variants[0])

    def _draw(self, variant: str) -> float:
        self.drawn += 1
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


def _ran(task: AskedTask) -> bool:
    return task.occupied_s > 0.0 and task.granted_at is None


def _usual_variants(asked: Sequence[AskedTask]) -> dict[tuple[str, tuple[str, ...]], str]:
    """The variant that most tasks of a queue class ran on."""
    counts: dict[tuple[str, tuple[str, ...]], Counter[str]] = {}
    for task in asked:
        if task.variant:
            class_id = task.accepted.family, task.accepted.variants
            counts.setdefault(class_id, Counter())[task.variant] += 1
    return {class_id: count.most_common(1)[0][0] for class_id, count in counts.items()}
