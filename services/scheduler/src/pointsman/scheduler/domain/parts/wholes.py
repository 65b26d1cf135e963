"""Tasks that run in parts, as the log tells them.

    queued -- lease to cut --> granted -- task.split --> split -- lease to merge --> completed
                                          (parts accepted)   all parts have ended

Nothing but the ends of its parts lets a task that was split go on. A task that ends before its
parts leaves them behind: they have nobody to work for, and rounds cancel them. A log that was cut
off between `task.split` and the acceptance of its parts lacks some: rounds accept them.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.message import BlobRef
from pointsman.contracts.streams import part_id
from pointsman.scheduler.domain.parts.results import PartResults
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask
from pointsman.scheduler.domain.waiting import Waiting


class Parts:
    """Which tasks of a pool stand where on that way; `tasks` are all that are open."""

    def __init__(self, tasks: Mapping[UUID, OpenTask], waiting: Waiting) -> None:
        self._tasks = tasks
        self._waiting = waiting
        self.leased: dict[UUID, OpenTask] = {}
        """Those that an executor cuts or merges."""
        self.desks: Counter[str] = Counter()
        """How many that are, by executor."""
        self.split: set[UUID] = set()
        """Those whose parts run or are being merged."""
        self.missing: dict[UUID, frozenset[int]] = {}
        """Parts that were cut and not accepted, by the task that they are of."""
        self.orphans: dict[UUID, OpenTask] = {}
        """Parts whose whole has ended."""

    def whole_of(self, task: OpenTask) -> OpenTask | None:
        """The open task that a task is a part of."""
        parent = task.accepted.parent
        return self._tasks.get(UUID(parent)) if parent else None

    def of(self, task: OpenTask) -> Iterator[OpenTask]:
        """The open parts of a task."""
        for number in task.parts.numbers if task.parts is not None else ():
            part = self._tasks.get(part_id(task.id, number))
            if part is not None:
                yield part

    def adopt(self, task: OpenTask) -> None:
        """A task was accepted, or is taken in as it stands: a whole before its parts."""
        if task.lease is not None and task.lease.work is not None:
            self._take(task)
        if task.parts is not None:
            self.split.add(task.id)
            self._lacks(task, frozenset(task.parts.numbers) - task.parts.ended.keys())
        if not task.accepted.parent:
            return
        whole = self.whole_of(task)
        if whole is not None:
            lacking = self.missing.get(whole.id, frozenset[int]())
            self._lacks(whole, lacking - {task.accepted.part})
        else:
            self.orphans[task.id] = task

    @property
    def of_tasks(self) -> Mapping[type[Decision], Callable[..., None]]:
        """Changes of an open task, by what brings them."""
        return {events.SplitPlanned: self._planned, events.TaskSplit: self._cut}

    def _planned(self, task: OpenTask, version: int, event: events.SplitPlanned) -> None:
        """It waits to be cut instead of for a device."""
        self._waiting.unplace(task, event.at)
        task.take(event, version)
        task.plan, task.retry_at, task.tried = event.plan, 0.0, task.tried + task.tries
        self._waiting.place(task, event.at)

    def granted(self, task: OpenTask, version: int, event: events.PartsGranted) -> None:
        """An executor holds a lease to cut or to merge it."""
        self._waiting.unplace(task, event.at)
        task.take(event, version)
        task.attempts, task.retry_at = event.attempt, 0.0
        task.lease = LiveLease.of_work(event)
        self._take(task)

    def released(self, task: OpenTask) -> None:
        """Its lease ends, if it is one to cut or to merge."""
        if task.lease is not None and self.leased.pop(task.id, None) is not None:
            self.desks[task.lease.executor] -= 1

    def _cut(self, task: OpenTask, version: int, event: events.TaskSplit) -> None:
        """Its input was cut; its parts are accepted next."""
        task.take(event, version)
        task.parts = PartResults(
            merge=event.merge,
            payloads=event.parts,
            began_at=task.lease.granted_at if task.lease is not None else event.at,
        )
        self.released(task)
        task.lease, task.tried = None, task.tried + task.tries
        self.split.add(task.id)
        self._lacks(task, frozenset(task.parts.numbers))
        self._waiting.watch_deadline(task)

    def ended(
        self, task: OpenTask, event: Decision, before: Callable[[OpenTask], None] | None
    ) -> None:
        """A task is not open any more; `before` is told of a whole that this changes."""
        self.released(task)
        if task.parts is None and not task.accepted.parent:
            return
        self._waiting.unplace(task, event.at)
        if task.id in self.split:
            self.split.discard(task.id)
            self._lacks(task, frozenset())
            self.orphans.update((part.id, part) for part in self.of(task))
        self.orphans.pop(task.id, None)
        whole = self.whole_of(task)
        if whole is None or whole.parts is None:
            return
        if before is not None:
            before(whole)
        result, code = _end(event)
        whole.parts = whole.parts.with_end(task.accepted.part, result, code)
        self._waiting.place(whole, event.at)

    def _take(self, task: OpenTask) -> None:
        if task.lease is not None:
            self.leased[task.id] = task
            self.desks[task.lease.executor] += 1

    def _lacks(self, task: OpenTask, numbers: frozenset[int]) -> None:
        if numbers:
            self.missing[task.id] = numbers
        else:
            self.missing.pop(task.id, None)


def _end(event: Decision) -> tuple[BlobRef | None, str]:
    match event:
        case events.TaskCompleted():
            return event.result, ""
        case events.TaskFailed():
            return None, event.code
        case events.TaskCancelled():
            return None, "cancelled"
        case events.TaskExpired():
            return None, "expired"
        case events.TaskShed():
            return None, "shed"
        case _:
            return None, "abandoned"
