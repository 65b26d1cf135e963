"""Tasks that wait for other tasks.

A task names tasks that exist already, so that nothing can depend on itself, however many are in
between. It is queued when the last of them has completed. If one ends otherwise, the task fails
with it, and what depends on that one in a later round: one decision per task, and a bounded number
per round, however long the chain. What a dependency has produced is not handed on: a workflow does
that, which knows what to make of it.

A dependency may end between the decision to accept a task and its acceptance in the log. So the
latest ends are remembered, as a function of the log alone, and looked up when the acceptance is
folded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import nsmallest
from operator import attrgetter
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from pointsman.contracts.commands import Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskFailed
from pointsman.contracts.refusals import DEPENDENCY_ELSEWHERE
from pointsman.contracts.task_states import TERMINAL, TaskState
from pointsman.scheduler.domain.tasks import OpenTask

DEPENDENCY_FAILED: Final = "dependency_failed"
"""Code of a task that ended, or was refused, because one that it depends on did not complete."""

UNKNOWN_DEPENDENCY: Final = "unknown_dependency"
"""Code of a task that was refused because it depends on a task that never was."""

FAILURES_PER_ROUND: Final = 256
"""They are committed together with the grants of the round, which should not wait for more."""

REMEMBERED_ENDS: Final = 8_192
"""At least so many ends are known. Between a decision and its commit lie some milliseconds, in
which no pool ends nearly as many tasks."""


class PastTask(NamedTuple):
    """A task that the pool does not remember: whose it is, and where it stands."""

    tenant: str
    state: TaskState


NOTHING_FOUND: Final[Mapping[UUID, PastTask]] = MappingProxyType({})


class Dependencies:
    """What the open tasks of a pool wait for; `tasks` are those, kept up by their owner."""

    def __init__(self, tasks: Mapping[UUID, OpenTask]) -> None:
        self.latest: dict[UUID, PastTask] = {}
        self.earlier: dict[UUID, PastTask] = {}
        """The ends before `latest`; forgotten when that is full and takes this place."""
        self._tasks = tasks
        self._dependents: dict[UUID, dict[UUID, None]] = {}
        """Tasks that wait, by the open task that they wait for."""
        self._unmet: set[UUID] = set()
        """Tasks that are to fail."""
        self._same: dict[tuple[str, TaskState], PastTask] = {}
        """Ends that many tasks have in common, held once."""

    def __contains__(self, task: UUID) -> bool:
        """Whether a task is to fail because of another one."""
        return task in self._unmet

    # -- folding -----------------------------------------------------------------------------

    def accepted(self, task: OpenTask) -> None:
        """A task was accepted; what it awaits may have ended since that was decided."""
        for name in task.accepted.awaits:
            dependency = UUID(name)
            if dependency in self._tasks:
                task.awaits |= {dependency}
            else:
                self._resolve(task, dependency, self.end_of(dependency))

    def adopt(self, task: OpenTask) -> None:
        """Take in a task as it stands."""
        for dependency in task.awaits:
            self._dependents.setdefault(dependency, {})[task.id] = None
        if task.unmet:
            self._unmet.add(task.id)

    def ended(
        self, task: OpenTask, before_change: Callable[[OpenTask], None] | None
    ) -> list[OpenTask]:
        """A task has its terminal event; those that awaited it have one less to wait for.

        `before_change` is told of each of them first.
        """
        end = self._remember(task)
        if task.unmet:
            self._unmet.discard(task.id)
        for dependency in task.awaits:
            self._forget_dependent(dependency, task.id)
        names = self._dependents.pop(task.id, None) if self._dependents else None
        if names is None:
            return []
        dependents = [self._tasks[name] for name in names]
        for dependent in dependents:
            if before_change is not None:
                before_change(dependent)
            dependent.awaits -= {task.id}
            self._resolve(dependent, task.id, end)
            if dependent.unmet:
                self._unmet.add(dependent.id)
        return dependents

    def restore(self, latest: Mapping[UUID, PastTask], earlier: Mapping[UUID, PastTask]) -> None:
        """Take over remembered ends."""
        self.latest.update(latest)
        self.earlier.update(earlier)

    # -- deciding ----------------------------------------------------------------------------

    def end_of(self, task: UUID) -> PastTask | None:
        """How a task ended, as long as that is remembered."""
        return self.latest.get(task) or self.earlier.get(task)

    def unknown(self, tasks: Iterable[UUID]) -> list[UUID]:
        """Those that are neither open nor remembered; what became of them stands in the log."""
        return [task for task in tasks if task not in self._tasks and self.end_of(task) is None]

    def awaited(
        self, tenant: str, tasks: Iterable[UUID], past: Mapping[UUID, PastTask]
    ) -> tuple[str, ...] | Rejected:
        """Those that a new task has to wait for, or why it cannot be accepted.

        `past` is what the log tells of those that are unknown here.
        """
        awaited: list[str] = []
        for task in dict.fromkeys(tasks):
            open_task = self._tasks.get(task)
            if open_task is not None:
                known = PastTask(open_task.tenant, open_task.state)
            else:
                known = self.end_of(task) or past.get(task)
            # Of another tenant's task nothing is told, not even that it exists.
            if known is None or known.tenant != tenant:
                return _unknown(task)
            if open_task is not None:
                awaited.append(str(task))
            elif known.state is not TaskState.COMPLETED:
                return _not_completed(task, known.state)
        return tuple(awaited)

    def failures(self, *, at: float, applied_to: int) -> Iterator[Decided]:
        """The ends of tasks that a dependency has let down, at most `FAILURES_PER_ROUND`.

        In the order of their acceptance, which a pool that was restored knows as well.
        """
        let_down = (self._tasks[name] for name in self._unmet)
        for task in nsmallest(FAILURES_PER_ROUND, let_down, key=attrgetter("position")):
            failed = TaskFailed(
                at=at,
                applied_to=applied_to,
                code=DEPENDENCY_FAILED,
                message=f"it depends on {task.unmet}",
                attempts=task.attempts,
            )
            yield Decided(task.id, task.version, (failed,), task.tenant)

    # ----------------------------------------------------------------------------------------

    def _resolve(self, task: OpenTask, dependency: UUID, end: PastTask | None) -> None:
        if end is not None and end.state is TaskState.COMPLETED:
            return
        how = "of which is not known how it ended" if end is None else f"which was {end.state}"
        if end is not None and end.state in {TaskState.FAILED, TaskState.EXPIRED}:
            how = f"which {end.state}"
        task.unmet = task.unmet or f"task {dependency}, {how}"

    def _forget_dependent(self, dependency: UUID, dependent: UUID) -> None:
        dependents = self._dependents.get(dependency)
        if dependents is not None:
            dependents.pop(dependent, None)
            if not dependents:
                del self._dependents[dependency]

    def _remember(self, task: OpenTask) -> PastTask:
        kind = (task.tenant, task.state)
        end = self._same.get(kind)
        if end is None:
            end = self._same[kind] = PastTask(*kind)
        self.latest[task.id] = end
        if len(self.latest) >= REMEMBERED_ENDS:
            self.earlier, self.latest = self.latest, {}
        return end


def _unknown(task: UUID) -> Rejected:
    return Rejected(
        code=UNKNOWN_DEPENDENCY,
        message=f"task {task}, which it depends on, was never accepted",
        next="depend on the id of an accepted task: `pointsman task ls` shows them",
    )


def _not_completed(task: UUID, state: TaskState) -> Rejected:
    if state not in TERMINAL:
        return Rejected(
            code=DEPENDENCY_ELSEWHERE,
            message=f"task {task}, which it depends on, waits in another pool",
            next="submit it to the pool of that task",
        )
    return Rejected(
        code=DEPENDENCY_FAILED,
        message=f"task {task}, which it depends on, will never complete: it is {state}",
        next=f"see why (`pointsman task why {task}`) and depend on a task that completes",
    )
