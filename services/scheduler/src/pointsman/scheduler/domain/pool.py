"""The pool: everything that decisions depend on, folded from the log in log order."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, get_args
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import WITHOUT_RESULT, TaskState
from pointsman.scheduler.domain.admission.bulks import OpenBulks
from pointsman.scheduler.domain.admission.dependencies import Dependencies
from pointsman.scheduler.domain.admission.grounds import Grounds
from pointsman.scheduler.domain.attempts.batch_limits import BatchLimits
from pointsman.scheduler.domain.attempts.breakers import Breakers
from pointsman.scheduler.domain.attempts.live import LiveAttempts
from pointsman.scheduler.domain.attempts.slow import SlowAttempts
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.fleet import Devices, OfDevice
from pointsman.scheduler.domain.influences import Influences
from pointsman.scheduler.domain.parts.wholes import Parts
from pointsman.scheduler.domain.policy import Policy
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.schedules.timetable import Timetable
from pointsman.scheduler.domain.steering.agreed import Steering
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask, Words
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
        self.policy = Policy(name, self.devices, self.waiting)
        self.attempts = LiveAttempts(self.devices, self.models, self.waiting, self.grounds)
        self.turnaround = self.attempts.turnaround
        self.slow_attempts = SlowAttempts(
            self.tasks, self.devices, self.models, self.turnaround, self.policy
        )
        self.dependencies = Dependencies(self.tasks)
        self.parts = Parts(self.tasks, self.waiting)
        self.bulks = OpenBulks()
        self.timetable = Timetable(name)
        self.breakers = Breakers(self.devices)
        self.batch_limits = BatchLimits()
        self.accepted_of: Counter[str] = Counter()
        """Tasks ever accepted, by family."""
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

    def decided(self, stream: UUID, *recorded: Decision, tenant: str = "") -> Decided:
        """Events for a stream that is not a task's, after what was folded of it."""
        return Decided(stream, self.version_of(stream), recorded, tenant)

    def evolve(self, position: int, stream: UUID, version: int, event: Decision) -> None:
        """Take one committed event; events must come in log order."""
        change = self._changes.get(type(event))
        if change is not None:
            self.waiting.release(event.at, self.before_change)
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

    def leases(self) -> list[tuple[OpenTask, LiveLease]]:
        """Live leases; each holds a slot of its device, or its task is cut or merged."""
        keys = (key for device in self.devices.values() for key in device.held)
        held = ((self.tasks[task_id], attempt) for task_id, attempt in keys)
        at_work = ((task, lease) for task, n in held if (lease := task.lease_of(n)) is not None)
        in_parts = ((task, task.lease) for task in self.parts.leased.values())
        return [*at_work, *((task, lease) for task, lease in in_parts if lease is not None)]

    def executors(self) -> set[str]:
        """Who speaks for a device or runs an attempt, and so must be heard of."""
        there = (d for d in self.devices.values() if d.status is not DeviceStatus.DETACHED)
        attached = {device.offer.executor for device in there}
        return attached | {lease.executor for _, lease in self.leases()}

    def next_due(self, now: float) -> float | None:
        """When time alone may allow the next decision."""
        due = [*self.waiting.next_due(now), *self.breakers.next_due(now)]
        due += self.slow_attempts.next_due(now)
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
            **{type_: self._of_open(do) for type_, do in self.attempts.of_tasks.items()},
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
            events.PolicySet: self._noted(self.policy.evolve),
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
        self.attempts.hedges.earn(self.policy.parameters.hedge_share)
        self.grounds.accepted(event)
        task = OpenTask(id=stream, accepted=event, position=position, version=version)
        self.words.share(task)
        self.dependencies.accepted(task)
        if event.schedule:
            self.timetable.accepted(stream, event)
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
        self.waiting.queue_of(task.class_id).hold = None
        self.attempts.granted(task, version, event)

    def _parts_granted(self, task: OpenTask, version: int, event: events.PartsGranted) -> None:
        if task.state is TaskState.QUEUED:
            self._unqueue(task, event)
        self.parts.granted(task, version, event)

    def _completed(self, task: OpenTask, version: int, event: events.TaskCompleted) -> None:
        if task.lease is None:
            # The result of an identical task: nothing was run.
            self._unqueue(task, event)
        task.take(event, version)
        self._gone(task, event)
        self.attempts.completed(task, event)

    def _attempt_ended(
        self, task: OpenTask, version: int, event: events.AttemptFailed | events.AttemptTimedOut
    ) -> None:
        self.parts.released(task)
        self.attempts.ended(task, version, event)
        self._queue_up(task, event.at)

    def _attempt_lost(self, task: OpenTask, version: int, event: events.AttemptLost) -> None:
        self.batch_limits.follow(task, event)
        self.parts.released(task)
        self.attempts.lost(task, version, event)
        self._queue_up(task, event.at)

    def _ended(self, task: OpenTask, version: int, event: Decision) -> None:
        if task.state is TaskState.QUEUED:
            self.waiting.no_hold(task)
            self._unqueue(task, event)
        else:
            self.attempts.left_behind(task)
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
