"""The pool: everything that decisions depend on, folded from the log in log order."""

from collections.abc import Callable, Sequence
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
        self.models: dict[str, events.ModelRegistered] = {}
        self.run_times: dict[str, RunTimes] = {}
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

    def family(self, name: str) -> list[events.ModelRegistered]:
        """Variants of a family, best quality first."""
        variants = [model for model in self.models.values() if model.family == name]
        return sorted(variants, key=lambda model: (-model.quality, model.variant))

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

    def run_times_of(self, variant: str) -> RunTimes:
        """Measured run times of a variant, or what the registry says of it."""
        if (known := self.run_times.get(variant)) is None:
            model = self.models.get(variant)
            known = self.run_times[variant] = RunTimes(
                prior_p50_s=model.service_s if model else 0.0,
                prior_p99_s=model.service_p99_s if model else 0.0,
            )
        return known

    def fastest_s(self, variants: Sequence[str]) -> float:
        """Shortest median run time among admissible variants."""
        return min((self.run_times_of(variant).p50_s for variant in variants), default=0.0)

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
            events.TaskGranted: self._granted,
            events.TaskCompleted: self._completed,
            events.AttemptFailed: self._attempt_ended,
            events.AttemptTimedOut: self._attempt_ended,
            events.AttemptLost: self._attempt_lost,
            **dict.fromkeys(ended, self._ended),
            **dict.fromkeys(device, self._device),
            events.ModelRegistered: self._model,
            events.LeaderElected: self._elected,
        }

    def _accepted(
        self, position: int, stream: UUID, version: int, event: events.TaskAccepted
    ) -> None:
        if event.pool != self.name:
            return
        task = OpenTask(id=stream, accepted=event, position=position, version=version)
        self.tasks[stream] = task
        self.queued += 1
        self.enqueue(task)
        self.watch_deadline(task)

    def _granted(self, _: int, stream: UUID, version: int, event: events.TaskGranted) -> None:
        task = self.tasks.get(stream)
        if task is None:
            return
        task.take(event, version)
        self.queued -= 1
        self.queues[task.class_id].discard(stream)
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
            (stream, event.attempt), Slot(event.variant, event.at + event.run_timeout_s)
        )

    def _completed(self, _: int, stream: UUID, version: int, event: events.TaskCompleted) -> None:
        task = self.tasks.get(stream)
        if task is None:
            return
        task.take(event, version)
        del self.tasks[stream]
        self._free(event.device, (stream, event.attempt))
        self.run_times_of(event.variant).add(event.run_s)

    def _attempt_ended(
        self,
        _: int,
        stream: UUID,
        version: int,
        event: events.AttemptFailed | events.AttemptTimedOut,
    ) -> None:
        task = self.tasks.get(stream)
        if task is None:
            return
        if isinstance(event, events.AttemptTimedOut) and task.lease is not None:
            self.run_times_of(task.lease.variant).add(event.run_timeout_s)
            task.timed_out += 1
        task.take(event, version)
        task.lease = None
        task.retry_at = event.retry_at
        self.queued += 1
        self._free(event.device, (stream, event.attempt))
        heappush(self.retries, (event.retry_at, stream))
        self.watch_deadline(task)

    def _attempt_lost(self, _: int, stream: UUID, version: int, event: events.AttemptLost) -> None:
        task = self.tasks.get(stream)
        if task is None:
            return
        task.take(event, version)
        task.lease = None
        task.lost += 1
        task.taken_down += event.reason != EXECUTOR_CANCELLED
        self.queued += 1
        if event.reason == EXECUTOR_CANCELLED:
            self._free(event.device, (stream, event.attempt))
        elif event.device in self.devices:
            self.devices[event.device].suspect_slot((stream, event.attempt))
        self.enqueue(task)
        self.watch_deadline(task)

    def _ended(self, _: int, stream: UUID, version: int, event: Decision) -> None:
        task = self.tasks.get(stream)
        if task is None:
            return
        was_queued = task.state is TaskState.QUEUED
        task.take(event, version)
        del self.tasks[stream]
        if was_queued:
            self.queued -= 1
            queue = self.queues.get(task.class_id)
            if queue is not None:
                queue.discard(stream)
        elif task.lease is not None:
            self.devices[task.lease.device].suspect_slot((stream, task.lease.attempt))

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
        self.models[event.variant] = event
        self.run_times_of(event.variant).expect(
            prior_p50_s=event.service_s, prior_p99_s=event.service_p99_s
        )

    def _elected(self, _: int, stream: UUID, version: int, event: events.LeaderElected) -> None:
        self._versions[stream] = version
        if stream == self._mine:
            self.epoch, self.holder = event.epoch, event.holder
