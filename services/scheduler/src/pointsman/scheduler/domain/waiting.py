"""Where the tasks of a pool wait: for a moment, or in the queue of their class.

Tasks whose moment has come stand in their queue from the next event on, and for every round before
it: when somebody looks changes nothing.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import islice
from uuid import UUID

from pointsman.contracts.events import (
    Decision,
    ModelRegistered,
    ResidencyChanged,
    ResidencyGranted,
    SlotHeld,
)
from pointsman.contracts.task_states import TaskState
from pointsman.policy.class_queue import ClassQueue
from pointsman.policy.hold import Hold
from pointsman.policy.queue import KeyQueue
from pointsman.policy.ranking import Ranking
from pointsman.policy.tenant_counters import Arrival, TenantCounters
from pointsman.policy.waiting_classes import WaitingClasses
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.tasks import ClassId, OpenTask

Released = tuple[Ranking[UUID], float, OpenTask, Arrival]
"""A task that was queued because its moment has come: its timer, that moment, and how its tenant
stood before."""


class Waiting:
    """The waiting tasks of a pool, by what they wait for."""

    def __init__(self, tasks: Mapping[UUID, OpenTask], models: Models) -> None:
        self.classes: WaitingClasses[OpenTask] = WaitingClasses()
        self.counters = TenantCounters()
        """Device-seconds that each tenant has had, over its weight."""
        self.desk: KeyQueue[UUID] = KeyQueue()
        """Tasks whose input is to be cut, or whose parts have ended: they need no device."""
        self.retries: Ranking[UUID] = Ranking()
        """Moments before which tasks are not queued; some may not matter any more."""
        self.later: Ranking[UUID] = Ranking()
        """The same for tasks whose sender named the moment: they are no load until then."""
        self.deadlines: list[tuple[float, UUID]] = []
        self._tasks = tasks
        self._models = models
        self._queues: dict[ClassId, ClassQueue[OpenTask]] = {}

    def queues(self) -> Iterator[tuple[ClassId, ClassQueue[OpenTask]]]:
        """The classes with tasks that stand in their queue."""
        return ((class_id, queue) for class_id, queue in self._queues.items() if queue)

    def holds(self) -> Iterator[tuple[ClassId, Hold]]:
        """Of all classes; one may outlast the task that it was for, and the work of its class."""
        queues = self._queues.items()
        return ((class_id, queue.hold) for class_id, queue in queues if queue.hold is not None)

    def __contains__(self, task: OpenTask) -> bool:
        """Whether a task stands in a queue."""
        if task.id in self.desk:
            return True
        queue = self._queues.get(task.class_id)
        return queue is not None and task in queue

    def queue_of(self, class_id: ClassId) -> ClassQueue[OpenTask]:
        """The queue of a class, made when it is needed."""
        queue = self._queues.get(class_id)
        if queue is None:
            _, variants = class_id
            times = self._models.times_of(variants[0])
            queue = self._queues[class_id] = self.classes.register(class_id, times, variants)
        return queue

    def place(self, task: OpenTask, now: float) -> None:
        """Put a task where it has to wait; one that somebody holds, or that awaits others, nowhere.

        Nor one that waits for its parts. `now` is when it began to wait there.
        """
        if task.held or task.awaits or task.unmet or not _waits(task):
            return
        task.woken = task.retry_at <= now
        if not task.woken:
            asleep = task.retry_at == task.accepted.not_before
            (self.later if asleep else self.retries).put(task.id, task.retry_at, task.position)
        else:
            self._enqueue(task, now)

    def unplace(self, task: OpenTask, now: float) -> None:
        """Take a task out of its queue, if it stands in one."""
        try:
            self.classes.discard(task, now)
        except LookupError:
            self.desk.discard(task.id)
        else:
            self.counters.left(task.tenant)

    def release(self, now: float, before_change: Callable[[OpenTask], None] | None = None) -> None:
        """Queue the tasks whose moment has come, each as of that moment.

        `before_change` is told of each of them first.
        """
        # Asked before every event, and mostly no moment has come.
        for timer in (self.retries, self.later):
            due = timer.first_key()
            if due is not None and due <= now:
                for _, _, task, _ in self._released(now):
                    if before_change is not None:
                        before_change(task)
                    task.woken = True
                return

    @contextmanager
    def released(self, now: float) -> Generator[None]:
        """Queue them for a while: only what the log says may change a pool for good."""
        undo = list(self._released(now))
        try:
            yield
        finally:
            for timer, due, task, counter in reversed(undo):
                if not self.desk.discard(task.id) and task in self:
                    self.classes.discard(task, due)
                    self.counters.forget_arrival(task.tenant, counter)
                timer.put(task.id, due, task.position)

    def _released(self, now: float) -> Iterator[Released]:
        while timers := [
            (first, timer)
            for timer in (self.retries, self.later)
            if (first := timer.first()) is not None and first[0] <= now
        ]:
            (due, _, task_id), timer = min(timers, key=lambda found: found[0][:2])
            timer.discard(task_id)
            task = self._tasks.get(task_id)
            if task is not None and self._is_due(task, due):
                counter = self.counters.arrival(task.tenant)
                self._enqueue(task, due)
                yield timer, due, task, counter

    def wake_for(self, task: OpenTask) -> None:
        """Look again when the moment of a task comes that stands in its queue already."""
        self.retries.put(task.id, task.retry_at, task.position)

    def watch_deadline(self, task: OpenTask) -> None:
        """Look at a task again when its deadline passes."""
        if task.accepted.deadline is not None:
            heappush(self.deadlines, (task.accepted.deadline, task.id))

    def due_deadlines(self, now: float) -> list[OpenTask]:
        """Waiting tasks whose deadline has passed, earliest first.

        Asking again gives the same tasks: they are due until their expiry is in the log.
        """
        due: dict[UUID, OpenTask] = {}
        while self.deadlines and self.deadlines[0][0] <= now:
            _, task_id = heappop(self.deadlines)
            task = self._tasks.get(task_id)
            if task is not None and task.state in {TaskState.QUEUED, TaskState.SPLIT}:
                due[task_id] = task
        for task in due.values():
            self.watch_deadline(task)
        return list(due.values())

    def next_due(self, now: float) -> Iterator[float]:
        """When time alone may allow a decision; a due task takes a smaller variant."""
        for timer in (self.retries, self.later):
            yield from islice((due for due, _, _ in timer if due > now), 1)
        if self.deadlines:
            yield self.deadlines[0][0]
        for _, queue in self.queues():
            head, hold = queue.head(), queue.hold
            if queue.variants[1:] and head is not None and head.key > now:
                yield head.key
            if hold is not None and hold.until > now:
                yield hold.until

    def registered(self, _position: int, event: ModelRegistered) -> None:
        """A variant may be used, or other facts about it hold."""
        self._models.register(event)
        self.classes.reindex(event.variant, event.at)

    def held(self, _position: int, event: SlotHeld) -> None:
        """A device is kept free for the head of a class, unless another one is."""
        class_id = (event.family, event.variants)
        queue = self.classes.get(class_id)
        if queue is not None and queue.hold is None:
            queue.hold = Hold(event.device, class_id, since=event.at, until=event.until)

    def _is_due(self, task: OpenTask, due: float) -> bool:
        if not _waits(task) or task.retry_at != due:
            return False
        return not (task.held or task.awaits or task.unmet or task in self)

    def no_hold(self, task: OpenTask) -> None:
        """No device is kept free any more for a task that is the head of its class.

        Another head is looked at anew.
        """
        queue = self.classes.get(task.class_id)
        if queue is not None and queue.head() is task:
            queue.hold = None

    def changes(self, device: Device, event: Decision) -> None:
        """What a device has loaded changes: who pays for it, and how long it took."""
        if isinstance(event, ResidencyGranted) and event.cause == "queue":
            device.credit.spend(event.expected_s, self._models.swap_s[0])
            if event.tenant:
                self.counters.charge(event.tenant, event.expected_s)
        elif isinstance(event, ResidencyChanged):
            self._models.unloaded(event.unloads_s or {})
            if event.loaded:
                self._models.loaded(event.loaded, event.load_s)
                self.classes.reindex(event.loaded, event.at)

    def _enqueue(self, task: OpenTask, now: float) -> None:
        if task.at_desk:
            self.desk.push(task.id, task.key, task.position)
            return
        self.queue_of(task.class_id)
        self.classes.put(task, now)
        self.counters.arrived(task.tenant)


def _waits(task: OpenTask) -> bool:
    return task.state is TaskState.QUEUED or task.at_desk
