"""Devices with one model each: who waits, what they have, and what starts where.

`assign` decides for every free device; the rest tells the pool what has happened. The same calls
in the same order give the same decisions.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pointsman.policy.class_choice import ClassChoice, Fleet, choose_class
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.hold import Hold
from pointsman.policy.lateness import is_too_late
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.run_times import RunTimes
from pointsman.policy.tenant_counters import TenantCounters
from pointsman.policy.waiting_classes import WaitingClasses

_EVEN: Final[Mapping[str, float]] = MappingProxyType({})


class Start(NamedTuple):
    """A task starts on a device, and why its class was chosen."""

    device: str
    task: QueuedTask
    choice: ClassChoice


class Assigned:
    """What was decided at one moment."""

    __slots__ = ("expired", "holds", "starts")

    def __init__(self) -> None:
        self.starts: list[Start] = []
        self.holds: list[Hold] = []
        """Devices that stay free although a task waits that they could take."""
        self.expired: list[QueuedTask] = []
        """Tasks that cannot meet their deadline any more; they are out of the queue."""


class DedicatedPool:
    """Classes, devices and tenants of one pool."""

    def __init__(self, weights: Mapping[str, float] = _EVEN) -> None:
        self.classes: Final = WaitingClasses()
        self.devices: Final[dict[str, DedicatedDevice]] = {}
        self.counters: Final = TenantCounters(weights)
        self._waiting: dict[int, QueuedTask] = {}
        self._all: dict[str, ClassTimes] = {}
        self._runs = RunTimes(prior_p50_s=0.0, prior_p99_s=0.0)
        self._mean_load_s = 0.0
        self._least_load_s = 0.0

    def __len__(self) -> int:
        """Tasks that wait."""
        return len(self._waiting)

    @property
    def mean_load_s(self) -> float:
        """Of all classes that are known."""
        return self._mean_load_s

    def attach(self, device: str) -> None:
        """A device is there, with no model."""
        self.devices[device] = DedicatedDevice(device)

    def register(self, class_id: str, *, load_s: float, p50_s: float, p99_s: float) -> None:
        """Make a class known with what is expected of it."""
        self._all[class_id] = ClassTimes(load_s=load_s, p50_s=p50_s, p99_s=p99_s)
        self.classes.register(class_id, self._all[class_id])
        if not self._runs.runs:
            longest_s = max(times.runs.p99_s for times in self._all.values())
            self._runs.expect(prior_p50_s=p50_s, prior_p99_s=longest_s)
        self._compare_loads()

    def enqueue(self, task: QueuedTask, now: float) -> None:
        """A task waits; its class must be registered."""
        self._waiting[task.number] = task
        self.counters.arrived(task.tenant)
        self.classes.put(task, now)

    def rekey(self, task: QueuedTask, now: float) -> bool:
        """Put a task in the place of the one with its number; false if that does not wait."""
        before = self._waiting.get(task.number)
        if before is None:
            return False
        self.classes.replace(before, task, now)
        self._waiting[task.number] = task
        return True

    def cancel(self, number: int, now: float) -> QueuedTask | None:
        """Take a task out of the queue; None if it does not wait."""
        task = self._waiting.pop(number, None)
        if task is not None:
            self.classes.discard(task, now)
            self.counters.left(task.tenant)
        return task

    def assign(self, now: float) -> Assigned:
        """Let free devices begin until none of them takes a task any more."""
        assigned = Assigned()
        free = self._free_devices()
        while free and self._waiting and self._assign_one(free, assigned, now):
            # What was held back before this start may not be any more.
            assigned.holds.clear()
            free = self._free_devices() if len(free) > 1 else []
        for hold in assigned.holds:
            queue = self.classes[hold.class_id]
            queue.hold = queue.hold or hold
        return assigned

    def loaded(self, device: str, load_s: float, now: float) -> None:
        """A load has ended; the task that it was for runs from now on."""
        holder = self.devices[device]
        holder.runs_from = now
        if holder.resident is not None:
            self._all[holder.resident].loaded(load_s)
            self._compare_loads()

    def ended(self, device: str, run_s: float, now: float) -> None:
        """A run has ended and its device is free."""
        holder = self.devices[device]
        if holder.resident is None or holder.running is None:
            raise ValueError(f"{device} runs nothing that could have ended")
        self._all[holder.resident].ran(run_s)
        self._runs.add(run_s)
        holder.credit.earn(run_s)
        self.counters.charge(holder.running.tenant, run_s - holder.expected_s)
        holder.running = None
        holder.used_at = now

    def _assign_one(self, free: Iterable[DedicatedDevice], assigned: Assigned, now: float) -> bool:
        for device in free:
            verdict = self._decide(device, assigned, now)
            if isinstance(verdict, Start):
                self._begin(device, verdict, now)
                assigned.starts.append(verdict)
                return True
            if verdict is not None:
                assigned.holds.append(verdict)
        return False

    def _free_devices(self) -> list[DedicatedDevice]:
        """Those first whose model has work, then those that were used longest ago."""
        free = [device for device in self.devices.values() if device.running is None]
        if len(free) > 1:
            free.sort(key=lambda d: (not self._has_work(d), d.used_at))
        return free

    def _has_work(self, device: DedicatedDevice) -> bool:
        return device.resident is not None and len(self.classes[device.resident]) > 0

    def _decide(
        self, device: DedicatedDevice, assigned: Assigned, now: float
    ) -> Start | Hold | None:
        fleet = Fleet(len(self.devices), self._mean_load_s, self._least_load_s, self._runs.p99_s)
        barred: frozenset[str] = frozenset()
        while True:
            choice = choose_class(device, self.classes, fleet, now, barred)
            if not isinstance(choice, ClassChoice):
                return choice
            queue = self.classes[choice.class_id]
            task = queue.next(self.counters, now)
            if task is None:
                raise LookupError(f"{choice.class_id} was chosen and has no task that waits")
            if not self._too_late(task, choice.load_s, now):
                return Start(device.name, task, choice)
            if choice.holders and not self._too_late(task, 0.0, now):
                barred |= {choice.class_id}
            else:
                self.cancel(task.number, now)
                queue.hold = None
                assigned.expired.append(task)

    def _too_late(self, task: QueuedTask, load_s: float, now: float) -> bool:
        if task.deadline is None:
            return False
        runs = self._all[task.class_id].runs
        run_s = runs.p99_s if task.strict else runs.p50_s
        return is_too_late(task.deadline, now=now, load_s=load_s, run_s=run_s)

    def _begin(self, device: DedicatedDevice, start: Start, now: float) -> None:
        task, choice = start.task, start.choice
        queue = self.classes[task.class_id]
        self.cancel(task.number, now)
        queue.hold = None
        if choice.swaps:
            device.credit.spend(choice.load_s, self._mean_load_s)
            self.classes.move(device, task.class_id, now)
        device.running = task
        device.runs_from = now + choice.load_s
        # Corrected by what the run took; the load is its tenant's, whose task asked for it.
        device.expected_s = queue.times.mean_s
        self.counters.charge(task.tenant, choice.load_s + device.expected_s)

    def _compare_loads(self) -> None:
        loads = [times.load_s for times in self._all.values()]
        self._mean_load_s = sum(loads) / len(loads)
        self._least_load_s = min(loads)
