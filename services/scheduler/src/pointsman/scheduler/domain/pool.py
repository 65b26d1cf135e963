"""The pool: everything that decisions depend on, folded from the log in log order."""

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.events.tasks import EXECUTOR_CANCELLED
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import TaskState
from pointsman.policy.queue import KeyQueue
from pointsman.policy.run_times import RunTimes
from pointsman.scheduler.domain.devices import Device, DeviceStatus, Slot, SlotKey
from pointsman.scheduler.domain.influences import Influences
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.tasks import ClassId, LiveLease, OpenTask


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
        self.devices: dict[str, Device] = {}
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
        self._versions: dict[UUID, int] = {}
        self._mine: Final = stream_id("pool", name)
        self._changes: Final = self._change_table()

    def version_of(self, stream: UUID) -> int:
        """Last version of a stream that is not a task's."""
        return self._versions.get(stream, 0)

    def evolve(self, position: int, stream: UUID, version: int, event: Decision) -> None:
        """Take one committed event; events must come in log order."""
        change = self._changes.get(type(event))
        if change is not None:
            change(position, stream, version, event)
        self.applied_to = position

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
        device = (
            events.DeviceAttached,
            events.DeviceDetached,
            events.DeviceSuspended,
            events.DeviceResumed,
            events.SlotReleased,
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
            **dict.fromkeys(device, self._device),
            **dict.fromkeys(self.influences.types, self._influenced),
            events.ModelRegistered: self._model,
            events.LeaderElected: self._elected,
        }

    def _of_open(self, change: Callable[..., None]) -> Callable[..., None]:
        """A change of a task of this pool that has not ended; anybody else's changes nothing."""

        def changed(_: int, stream: UUID, version: int, event: Decision) -> None:
            task = self.tasks.get(stream)
            if task is not None:
                change(task, version, event)

        return changed

    def _accepted(
        self, position: int, stream: UUID, version: int, event: events.TaskAccepted
    ) -> None:
        if event.pool != self.name:
            return
        task = OpenTask(id=stream, accepted=event, position=position, version=version)
        self.tasks[stream] = task
        self.queued += 1
        self.accepted_of[event.family] += 1
        if task.retry_at:
            heappush(self.retries, (task.retry_at, stream))
        else:
            self.enqueue(task)
        self.watch_deadline(task)

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
        task.lease = LiveLease(
            attempt=event.attempt,
            executor=event.executor,
            incarnation=event.incarnation,
            device=event.device,
            variant=event.variant,
            granted_at=event.at,
            run_timeout_s=event.run_timeout_s,
        )
        self.devices[event.device].occupy(
            (task.id, event.attempt), Slot(event.variant, event.at + event.run_timeout_s)
        )

    def _completed(self, task: OpenTask, version: int, event: events.TaskCompleted) -> None:
        lease = task.lease
        task.take(event, version)
        del self.tasks[task.id]
        if lease is None:
            # The result of an identical task: nothing was run.
            self._unqueue(task)
            return
        self._free(event.device, (task.id, event.attempt))
        self.models.run_times_of(event.variant).add(event.run_s)
        self.turnaround.add(max(0.0, event.at - lease.granted_at - event.run_s))

    def _attempt_ended(
        self, task: OpenTask, version: int, event: events.AttemptFailed | events.AttemptTimedOut
    ) -> None:
        if isinstance(event, events.AttemptTimedOut) and task.lease is not None:
            self.models.run_times_of(task.lease.variant).add(event.run_timeout_s)
            task.timed_out += 1
        task.take(event, version)
        task.lease = None
        task.retry_at = event.retry_at
        self.queued += 1
        self._free(event.device, (task.id, event.attempt))
        heappush(self.retries, (event.retry_at, task.id))
        self.watch_deadline(task)

    def _attempt_lost(self, task: OpenTask, version: int, event: events.AttemptLost) -> None:
        task.take(event, version)
        task.lease = None
        task.lost += 1
        task.taken_down += event.reason != EXECUTOR_CANCELLED
        self.queued += 1
        if event.reason == EXECUTOR_CANCELLED:
            self._free(event.device, (task.id, event.attempt))
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

    def _device(self, _: int, stream: UUID, version: int, event: Decision) -> None:
        self._versions[stream] = version
        match event:
            case events.DeviceAttached():
                if event.pool != self.name:
                    return
                if event.device in self.devices:
                    self.devices[event.device].attach(event)
                else:
                    self.devices[event.device] = Device(offer=event)
            case events.DeviceDetached() | events.DeviceSuspended() | events.DeviceResumed():
                if event.device in self.devices:
                    self.devices[event.device].take(event)
            case events.SlotReleased():
                self._free(event.device, (UUID(event.task), event.attempt))
            case _:
                pass

    def _free(self, name: str, key: SlotKey) -> None:
        device = self.devices.get(name)
        if device is not None:
            device.free(key)

    def _model(self, _: int, stream: UUID, version: int, event: events.ModelRegistered) -> None:
        self._versions[stream] = version
        self.models.register(event)

    def _elected(self, _: int, stream: UUID, version: int, event: events.LeaderElected) -> None:
        self._versions[stream] = version
        if stream == self._mine:
            self.epoch, self.holder = event.epoch, event.holder
