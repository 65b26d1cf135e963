"""The pool: everything that decisions depend on, folded from the log in log order."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, get_args
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.events.attempt_ends import DEADLINE_EXCEEDED, EXECUTOR_CANCELLED
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import WITHOUT_RESULT, TaskState
from pointsman.policy.run_times import RunTimes
from pointsman.scheduler.domain.batch_limits import BatchLimits
from pointsman.scheduler.domain.breakers import Breakers
from pointsman.scheduler.domain.bulks import OpenBulks
from pointsman.scheduler.domain.dependencies import Dependencies
from pointsman.scheduler.domain.devices import DeviceStatus, Slot
from pointsman.scheduler.domain.fleet import Devices, OfDevice
from pointsman.scheduler.domain.grounds import Grounds
from pointsman.scheduler.domain.influences import Influences
from pointsman.scheduler.domain.parts import Parts
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.steering import Steering
from pointsman.scheduler.domain.tasks import CALL_ENDED, LiveLease, OpenTask, Words
from pointsman.scheduler.domain.timetable import Timetable
from pointsman.scheduler.domain.waiting import Waiting


class Pool:
    """State of one pool after `applied_to`; `evolve` is its only door."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.epoch = 0
        self.holder = ""
        self.applied_to = 0
        self.tasks: dict[UUID, OpenTask] = {}
        self.devices = Devices()
        self.models = Models()
        self.waiting = Waiting(self.tasks, self.models)
        self.influences = Influences(name)
        self.steering = Steering(name, self.devices, self.waiting)
        self.grounds = Grounds(name)
        self.dependencies = Dependencies(self.tasks)
        self.parts = Parts(self.tasks, self.waiting)
        self.bulks = OpenBulks()
        self.timetable = Timetable(name)
        self.breakers = Breakers(self.devices)
        self.batch_limits = BatchLimits()
        self.accepted_of: Counter[str] = Counter()
        """Tasks ever accepted, by family."""
        self.turnaround = RunTimes(prior_p50_s=0.0, prior_p99_s=0.0)
        """How much longer than its run a slot is taken: grant, receipt, report and commit."""
        self.queued = 0
        """Tasks that wait, for whatever."""
        self.queued_of: Counter[str] = Counter()
        """The same by tenant."""
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
            self.waiting.release(event.at)
            change(position, stream, version, event)
        self.applied_to = position

    def adopt(self, task: OpenTask, now: float) -> None:
        """Take in a task as it stands."""
        self.tasks[task.id] = task
        self.bulks.opened(task)
        self.dependencies.adopt(task)
        self.parts.adopt(task)
        if task.state is not TaskState.GRANTED:
            self._queue_up(task, now)

    def leased(self) -> list[OpenTask]:
        """Tasks with a live lease; each holds a slot of its device, or is cut or merged."""
        held = (task_id for device in self.devices.values() for task_id, _ in device.held)
        return [*(self.tasks[task_id] for task_id in held), *self.parts.leased.values()]

    def executors(self) -> set[str]:
        """Who speaks for a device or runs an attempt, and so must be heard of."""
        there = (d for d in self.devices.values() if d.status is not DeviceStatus.DETACHED)
        attached = {device.offer.executor for device in there}
        return attached | {task.lease.executor for task in self.leased() if task.lease is not None}

    def next_due(self, now: float) -> float | None:
        """When time alone may allow the next decision."""
        due = [*self.waiting.next_due(now), *self.breakers.next_due(now)]
        for device in self.devices.values():
            due += device.next_due(now)
        return min(due, default=None)

    def _change_table(self) -> dict[type[Decision], Callable[..., None]]:
        return {
            events.TaskAccepted: self._accepted,
            events.TaskPrepared: self._of_open(self._prepared),
            events.TaskGranted: self._of_open(self._granted),
            events.PartsGranted: self._of_open(self._parts_granted),
            **{type_: self._of_open(do) for type_, do in self.parts.of_tasks.items()},
            events.TaskCompleted: self._of_open(self._completed),
            events.AttemptFailed: self._of_open(self._attempt_ended),
            events.AttemptTimedOut: self._of_open(self._attempt_ended),
            events.AttemptLost: self._of_open(self._attempt_lost),
            **dict.fromkeys(WITHOUT_RESULT, self._of_open(self._ended)),
            **dict.fromkeys(get_args(OfDevice), self._device),
            **dict.fromkeys(self.influences.types, self._noted(self.influences.evolve)),
            **dict.fromkeys(self.timetable.types, self._noted(self.timetable.evolve)),
            **{type_: self._of_open(do) for type_, do in self.steering.of_tasks.items()},
            **dict.fromkeys(self.steering.types, self._noted(self.steering.evolve)),
            events.SlotHeld: self._noted(self.waiting.held),
            **dict.fromkeys(self.breakers.types, self._noted(self.breakers.evolve)),
            events.TaskCheckpointed: self._of_open(OpenTask.checkpointed),
            events.ModelRegistered: self._noted(self.waiting.registered),
            events.RoutingChanged: self._noted(lambda _, event: self.grounds.configure(event)),
            events.LeaderElected: self._elected,
        }

    def _noted(self, change: Callable[[int, Any], None]) -> Callable[..., None]:
        """A change by an event of a stream whose versions this pool has to know."""

        def changed(position: int, stream: UUID, version: int, event: Decision) -> None:
            self.versions[stream] = version
            change(position, event)

        return changed

    def _of_open(self, change: Callable[..., None]) -> Callable[..., None]:
        """A change of a task of this pool that has not ended; anybody else's changes nothing."""

        def changed(_: int, stream: UUID, version: int, event: Decision) -> None:
            task = self.tasks.get(stream)
            if task is not None:
                if self.before_change is not None:
                    self.before_change(task)
                self.breakers.follow(task, event)
                change(task, version, event)

        return changed

    def _accepted(
        self, position: int, stream: UUID, version: int, event: events.TaskAccepted
    ) -> None:
        if event.pool != self.name:
            return
        # Of a task that runs in parts, those are the demand.
        self.accepted_of[event.family] += event.split is None
        self.grounds.accepted(event)
        accepted = self.words.shared(event)
        task = OpenTask(id=stream, accepted=accepted, position=position, version=version)
        self.dependencies.accepted(task)
        self.timetable.accepted(stream, accepted)
        task.estimated_s = event.judged.run_s if event.judged is not None else 0.0
        self.adopt(task, event.at)

    def _prepared(self, task: OpenTask, version: int, event: events.TaskPrepared) -> None:
        task.take(event, version)
        task.prepared = event
        task.retry_at = task.accepted.not_before or 0.0
        if task not in self.waiting:
            self.waiting.place(task, event.at)

    def _granted(self, task: OpenTask, version: int, event: events.TaskGranted) -> None:
        self._unqueue(task, event)
        task.take(event, version)
        task.attempts = event.attempt
        task.retry_at = 0.0
        expected_s = self.models.run_times_of(event.variant).p50_s
        if event.batch is not None:
            expected_s /= event.batch.size
        self.waiting.counters.charge(task.tenant, expected_s)
        task.lease = LiveLease.of(event, expected_s, task.checkpoint_for(event.variant))
        self.waiting.queue_of(task.class_id).hold = None
        batch = event.batch.id if event.batch is not None else ""
        free_at = event.at + event.run_timeout_s
        slot = Slot(event.variant, free_at, batch, event.at, task.tenant)
        self.devices[event.device].occupy((task.id, event.attempt), slot)

    def _parts_granted(self, task: OpenTask, version: int, event: events.PartsGranted) -> None:
        if task.state is TaskState.QUEUED:
            self._unqueue(task, event)
        self.parts.granted(task, version, event)

    def _completed(self, task: OpenTask, version: int, event: events.TaskCompleted) -> None:
        lease = task.lease
        if lease is None:
            # The result of an identical task: nothing was run.
            self._unqueue(task, event)
        task.take(event, version)
        self._gone(task, event)
        if lease is None or not lease.device:
            return
        self.devices.free(event.device, (task.id, event.attempt))
        self._ran(task, lease, event.run_s, event.at)
        self.grounds.completed(task, lease, event)
        self.turnaround.add(max(0.0, event.at - lease.granted_at - event.run_s))

    def _ran(self, task: OpenTask, lease: LiveLease, run_s: float, at: float) -> None:
        """A call has ended after `run_s`; each of a batch gets its share."""
        share_s = run_s if lease.batch is None else run_s / lease.batch.size
        if lease.checkpoint is None:
            self.models.ran(lease.variant, run_s, size=lease.counts_for(task.id))
        self.waiting.counters.charge(task.tenant, share_s - lease.charged_s)
        device = self.devices.get(lease.device)
        if device is not None:
            device.credit.earn(share_s)
            device.used_at = at

    def _attempt_ended(
        self, task: OpenTask, version: int, event: events.AttemptFailed | events.AttemptTimedOut
    ) -> None:
        if isinstance(event, events.AttemptTimedOut) and task.lease is not None and event.device:
            self._ran(task, task.lease, event.run_s or event.run_timeout_s, event.at)
            task.timed_out += not event.code
        task.take(event, version)
        self.parts.released(task)
        task.lease, task.alone = None, True
        task.retry_at = event.retry_at
        self.devices.free(event.device, (task.id, event.attempt))
        self._queue_up(task, event.at)

    def _attempt_lost(self, task: OpenTask, version: int, event: events.AttemptLost) -> None:
        if event.code == DEADLINE_EXCEEDED and (lease := task.lease) is not None:
            self._ran(task, lease, lease.run_timeout_s, event.at)
        self.batch_limits.follow(task, event)
        task.take(event, version)
        self.parts.released(task)
        task.lease, task.alone = None, task.alone or event.reason != EXECUTOR_CANCELLED
        task.lost, task.crashes = task.lost + 1, task.crashes + event.only
        task.taken_down += event.reason not in CALL_ENDED
        if event.reason in CALL_ENDED:
            self.devices.free(event.device, (task.id, event.attempt))
        elif event.device in self.devices:
            self.devices[event.device].suspect_slot((task.id, event.attempt))
        self._queue_up(task, event.at)

    def _ended(self, task: OpenTask, version: int, event: Decision) -> None:
        if task.state is TaskState.QUEUED:
            self.waiting.no_hold(task)
            self._unqueue(task, event)
        elif task.lease is not None and task.lease.device:
            self.devices[task.lease.device].suspect_slot((task.id, task.lease.attempt))
        task.take(event, version)
        self._gone(task, event)

    def _gone(self, task: OpenTask, event: Decision) -> None:
        """A task has its terminal event; those that awaited it may be free now, or are to fail."""
        del self.tasks[task.id]
        self.bulks.ended(task)
        self.parts.ended(task, event, self.before_change)
        for dependent in self.dependencies.ended(task, self.before_change):
            self.waiting.place(dependent, event.at)

    def _queue_up(self, task: OpenTask, now: float) -> None:
        if task.state is TaskState.QUEUED:
            self.queued += 1
            self.queued_of[task.tenant] += 1
        self.waiting.place(task, now)
        self.waiting.watch_deadline(task)

    def _unqueue(self, task: OpenTask, event: Decision) -> None:
        self.queued -= 1
        self.queued_of[task.tenant] -= 1
        self.waiting.unplace(task, event.at)

    def _device(self, _: int, stream: UUID, version: int, event: OfDevice) -> None:
        self.versions[stream] = version
        if isinstance(event, events.DeviceAttached) and event.pool != self.name:
            return
        changed = self.devices.take(event)
        device = self.devices.get(event.device)
        if device is None or isinstance(event, events.SlotReleased):
            return
        self.waiting.changes(device, event)
        self.batch_limits.renewed(event)
        for each in changed:
            self.waiting.classes.take_notice(each, event.at)
        self.steering.asks.follow(event)

    def _elected(self, _: int, stream: UUID, version: int, event: events.LeaderElected) -> None:
        self.versions[stream] = version
        if stream == self._mine:
            self.epoch, self.holder = event.epoch, event.holder
