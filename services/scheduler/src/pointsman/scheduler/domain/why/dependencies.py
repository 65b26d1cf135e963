"""What became of the tasks that a task depends on, in sentences."""

from collections.abc import Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Final, NamedTuple

from pointsman.contracts.events import Decision, TaskAccepted
from pointsman.contracts.task_states import TERMINAL, TaskState, next_state
from pointsman.scheduler.domain.why.words import clock_beside

_SHOWN: Final = 8
"""Those that ended last, and those that go on: a task may depend on dozens."""


class DependencyEnd(NamedTuple):
    """How a task ended, and when."""

    state: TaskState
    at: float


Ends = Mapping[str, DependencyEnd]
"""Of the tasks that a task depends on, by their ids; those that go on are not there."""

NO_ENDS: Final[Ends] = MappingProxyType({})


def end_of(history: Sequence[Decision]) -> DependencyEnd | None:
    """How a task ended; None: it has not."""
    state, at = TaskState.NEW, 0.0
    for event in history:
        state, at = next_state(state, type(event)), event.at
    return DependencyEnd(state, at) if state in TERMINAL else None


def free_at(accepted: TaskAccepted, ends: Ends) -> float:
    """When the last of those completed that it had to wait for; infinite while one has not."""
    awaited = [ends.get(name) for name in accepted.awaits]
    done = [end.at for end in awaited if end is not None and end.state is TaskState.COMPLETED]
    return max(done, default=0.0) if len(done) == len(awaited) else inf


def kept_s(accepted: TaskAccepted, ends: Ends) -> float:
    """How much later than its arrival others let it wait for a slot; 0 where that never came."""
    since = free_at(accepted, ends) - max(accepted.at, accepted.not_before or 0.0)
    return max(0.0, since) if since < inf else 0.0


def dependencies(accepted: TaskAccepted, ends: Ends, *, over: bool) -> list[str]:
    """When each of them ended; of a task that is `over` what it waits for is of no interest."""
    if not accepted.depends_on:
        return []
    done = len(accepted.depends_on) - len(accepted.awaits)
    told = f"It depends on {len(accepted.depends_on)} task(s), of which {done} had completed"
    lasting = sorted(
        accepted.depends_on, key=lambda name: inf if name not in ends else ends[name].at
    )
    words = [_one(accepted, name, ends.get(name), over=over) for name in lasting[-_SHOWN:]]
    earlier = len(lasting) - len(words)
    before = f"; {earlier} ended before those that follow" if earlier else ""
    return [f"{told} then{before}: {'; '.join(words)}."]


def _one(accepted: TaskAccepted, name: str, end: DependencyEnd | None, *, over: bool) -> str:
    if end is None and name not in accepted.awaits:
        return f"task {name} had completed"
    if end is None:
        return f"task {name} had not ended when it did" if over else f"it waits for task {name}"
    how = "completed" if end.state is TaskState.COMPLETED else f"ended as {end.state}"
    return f"task {name} {how} at {clock_beside(end.at, accepted.at)}"
