"""The pool: everything that decisions depend on, folded from the log in log order."""

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final, get_args
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.events.tasks import DEADLINE_EXCEEDED, EXECUTOR_CANCELLED
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import TaskState
from pointsman.policy.queue import KeyQueue
from pointsman.policy.run_times import RunTimes
from pointsman.scheduler.domain.devices import Devices, DeviceStatus, OfDevice, Slot
from pointsman.scheduler.domain.influences import Influences
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.tasks import CALL_ENDED, ClassId, LiveLease, OpenTask, Words


class Pool:
    """State of one pool after `applied_to`; `evolve` is its only door.

    Two more things move with time alone, inside decisions: tasks whose retry is due return to
    their queue, and timers that no longer matter are dropped.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.epoch = 0
        self.holder = ""
        self.applied_to = 0
        self.tasks: dict[UUID, OpenTask] = {}
        self.queues: dict[ClassId, KeyQueue[UUID]] = {}
        self.devices = Devices()
        self.models = Models()
        self.influences = Influences(name)
        self.accepted_of: Counter[str] = Counter()
        """Tasks ever accepted, by family."""
        self.turnaround = RunTimes(prior_p50_s=0.0, prior_p99_s=0.0)
        """How much longer than its run a slot is taken: grant, receipt, report and commit."""
        self.retries: list[tuple[float, UUID]] = []
        self.deadlines: list[tuple[float, UUID]] = []
        self.queued = 0
        """Tasks that wait in a queue or for their retry."""
        self.versions: dict[UUID, int] = {}
        """Last version of each stream that is not a task's."""
        self.before_change: Callable[[OpenTask], None] | None = None
        """Told of each task that an event is about to change."""
        self.words: Final = Words()
        self._mine: Final = stream_id("pool", name)
        self._changes: Final = self._change_table()

    @property
    def types(self) -> frozenset[type[Decision]]:
        """Events that change anything here."""
        return frozenset(self._changes)

    def version_of(self, stream: UUID) -> int:
        """Last version of a stream that is not a task's."""
        return self.versions.get(stream, 0)

    def evolve(self, position: int, stream: UUID, version: int, event: Decision) -> None:
        """Take one committed event; events must come in log order."""
        change = self._changes.get(type(event))
        if change is not None:
            change(position, stream, version, event)
        self.applied_to = position

    def adopt(self, task: OpenTask) -> None:
        """Take in a task as it stands."""
        self.tasks[task.id] = task
        if task.state is not TaskState.QUEUED:
            return
        self.queued += 1
        if task.retry_at:
            heappush(self.retries, (task.retry_at, task.id))
        else:
            self.enqueue(task)
        self.watch_deadline(task)

    def enqueue(self, task: OpenTask) -> None:
        """Put a task into the queue of its class."""
        queue = self.queues.get(task.class_id)
        if queue is None:
            queue = self.queues[task.class_id] = KeyQueue()
        queue.push(task.id, task.accepted.key, task.position)

    def put_back(self, task: OpenTask, now: float) -> None:
        """Undo a removal from the queue; a task whose retry is not due waits for it."""
        if task.retry_at > now:
            heappush(self.retries, (task.retry_at, task.id))
        else:
            self.enqueue(task)

    def leased(self) -> list[OpenTask]:
        """Tasks with a live lease; each holds a slot of its device."""
        held = (task_id for device in self.devices.values() for task_id, _ in device.held)
        return [self.tasks[task_id] for task_id in held]

    def executors(self) -> set[str]:
        """Who speaks for a device or runs an attempt, and so must be heard of."""
        attached = {
            device.offer.executor
            for device in self.devices.values()
            if device.status is not DeviceStatus.DETACHED
        }
        return attached | {task.lease.executor for task in self.leased() if task.lease is not None}

    def release_retries(self, now: float) -> None:
        """Return tasks to their queue whose backoff is over."""
        while self.retries and self.retries[0][0] <= now:
            due, task_id = heappop(self.retries)
            task = self.tasks.get(task_id)
            if task is not None and task.state is TaskState.QUEUED and task.retry_at == due:
                self.enqueue(task)

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
            task = self.tasks.get(task_id)
            if task is not None and task.state is TaskState.QUEUED:
                due[task_id] = task
        for task in due.values():
            self.watch_deadline(task)
        return list(due.values())

    def next_due(self, now: float) -> float | None:
        """When time alone may allow the next decision; a due task takes a smaller variant."""
        heads = [heap[0][0] for heap in (self.retries, self.deadlines) if heap]
        choosy = (queue.head() for (_, variants), queue in self.queues.items() if variants[1:])
        heads += [head[0] for head in choosy if head is not None and head[0] > now]
        suspect = (slot for device in self.devices.values() for slot in device.suspect.values())
        heads += [slot.free_at for slot in suspect]
        return min(heads, default=None)

    def _change_table(self) -> dict[type[Decision], Callable[..., None]]:
        ended = (
            events.TaskFailed,
            events.TaskCancelled,
            events.TaskExpired,
            events.TaskShed,
            events.TaskAbandoned,
        )
        return {
            events.TaskAccepted: self._accepted,
            events.TaskPrepared: self._of_open(self._prepared),
            events.TaskGranted: self._of_open(self._granted),
            events.TaskCompleted: self._of_open(self._completed),
            events.AttemptFailed: self._of_open(self._attempt_ended),
            events.AttemptTimedOut: self._of_open(self._attempt_ended),
            events.AttemptLost: self._of_open(self._attempt_lost),
            **dict.fromkeys(ended, self._of_open(self._ended)),
            **dict.fromkeys(get_args(OfDevice), self._device),
            **dict.fromkeys(self.influences.types, self._influenced),
            events.ModelRegistered: self._model,
            events.LeaderElected: self._elected,
        }

    def _of_open(self, change: Callable[..., None]) -> Callable[..., None]:
        """A change of a task of this pool that has not ended; anybody else's changes nothing."""

        def changed(_: int, stream: UUID, version: int, event: Decision) -> None:
            task = self.tasks.get(stream)
            if task is not None:
                if self.before_change is not None:
                    self.before_change(task)
                change(task, version, event)

        return changed

    def _accepted(
        self, position: int, stream: UUID, version: int, event: events.TaskAccepted
    ) -> None:
        if event.pool != self.name:
            return
        self.accepted_of[event.family] += 1
        accepted = self.words.shared(event)
        self.adopt(OpenTask(id=stream, accepted=accepted, position=position, version=version))

    def _prepared(self, task: OpenTask, version: int, event: events.TaskPrepared) -> None:
        task.take(event, version)
        task.prepared = event
        task.retry_at = 0.0
        self.enqueue(task)

    def _granted(self, task: OpenTask, version: int, event: events.TaskGranted) -> None:
        task.take(event, version)
        self._unqueue(task)
        task.attempts = event.attempt
        task.retry_at = 0.0
        task.lease = LiveLease.of(event)
        batch = event.batch.id if event.batch is not None else ""
        slot = Slot(event.variant, event.at + event.run_timeout_s, batch)
        self.devices[event.device].occupy((task.id, event.attempt), slot)

    def _completed(self, task: OpenTask, version: int, event: events.TaskCompleted) -> None:
        lease = task.lease
        task.take(event, version)
        del self.tasks[task.id]
        if lease is None:
            # The result of an identical task: nothing was run.
            self._unqueue(task)
            return
        self.devices.free(event.device, (task.id, event.attempt))
        self.models.ran(lease.variant, event.run_s, size=lease.counts_for(task.id))
        self.turnaround.add(max(0.0, event.at - lease.granted_at - event.run_s))

    def _attempt_ended(
        self, task: OpenTask, version: int, event: events.AttemptFailed | events.AttemptTimedOut
    ) -> None:
        if isinstance(event, events.AttemptTimedOut) and task.lease is not None:
            size = task.lease.counts_for(task.id)
            self.models.ran(task.lease.variant, event.run_timeout_s, size=size)
            task.timed_out += 1
        task.take(event, version)
        task.lease, task.alone = None, True
        task.retry_at = event.retry_at
        self.queued += 1
        self.devices.free(event.device, (task.id, event.attempt))
        heappush(self.retries, (event.retry_at, task.id))
        self.watch_deadline(task)

    def _attempt_lost(self, task: OpenTask, version: int, event: events.AttemptLost) -> None:
        if event.code == DEADLINE_EXCEEDED and (lease := task.lease) is not None:
            self.models.ran(lease.variant, lease.run_timeout_s, size=lease.counts_for(task.id))
        task.take(event, version)
        task.lease, task.alone = None, task.alone or event.reason != EXECUTOR_CANCELLED
        task.lost += 1
        task.taken_down += event.reason not in CALL_ENDED
        self.queued += 1
        if event.reason in CALL_ENDED:
            self.devices.free(event.device, (task.id, event.attempt))
        elif event.device in self.devices:
            self.devices[event.device].suspect_slot((task.id, event.attempt))
        self.enqueue(task)
        self.watch_deadline(task)

    def _ended(self, task: OpenTask, version: int, event: Decision) -> None:
        was_queued = task.state is TaskState.QUEUED
        task.take(event, version)
        del self.tasks[task.id]
        if was_queued:
            self._unqueue(task)
        elif task.lease is not None:
            self.devices[task.lease.device].suspect_slot((task.id, task.lease.attempt))

    def _unqueue(self, task: OpenTask) -> None:
        self.queued -= 1
        queue = self.queues.get(task.class_id)
        if queue is not None:
            queue.discard(task.id)

    def _influenced(self, position: int, _: UUID, __: int, event: Decision) -> None:
        self.influences.evolve(position, event)

    def _device(self, _: int, stream: UUID, version: int, event: OfDevice) -> None:
        self.versions[stream] = version
        if not isinstance(event, events.DeviceAttached) or event.pool == self.name:
            self.devices.take(event)

    def _model(self, _: int, stream: UUID, version: int, event: events.ModelRegistered) -> None:
        self.versions[stream] = version
        self.models.register(event)

    def _elected(self, _: int, stream: UUID, version: int, event: events.LeaderElected) -> None:
        self.versions[stream] = version
        if stream == self._mine:
            self.epoch, self.holder = event.epoch, event.holder
