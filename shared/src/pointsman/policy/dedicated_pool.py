"""Devices with one model each: who waits, what they have, and what starts where.

`assign` decides for every free device; the rest tells the pool what has happened. The same calls
in the same order give the same decisions. A swap is a load for a class: which of its tasks runs
first is decided when the load has ended.
"""

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from pointsman.policy.assigned import Assigned, Drain, Load, Start
from pointsman.policy.class_choice import ClassChoice, choose_class
from pointsman.policy.dedicated_device import DedicatedDevice, Run
from pointsman.policy.device_fit import ONE, DeviceFit, Instance
from pointsman.policy.eligibility import Eligibility
from pointsman.policy.free_devices import FreeDevices
from pointsman.policy.gangs import form, give_up_model
from pointsman.policy.hold import Hold
from pointsman.policy.holder_index import HolderIndex
from pointsman.policy.known_times import KnownTimes
from pointsman.policy.numbered_tasks import NumberedTasks
from pointsman.policy.parameters import DEFAULTS, Parameters
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.reservations import Reservation, Reservations
from pointsman.policy.swap_credit import SwapCredit
from pointsman.policy.tenant_counters import TenantCounters
from pointsman.policy.waiting_classes import WaitingClasses

_EVEN: Final[Mapping[str, float]] = MappingProxyType({})
_NONE: Final[frozenset[Hashable]] = frozenset()


class DedicatedPool:
    """Classes, devices and tenants of one pool."""

    def __init__(
        self, weights: Mapping[str, float] = _EVEN, parameters: Parameters = DEFAULTS
    ) -> None:
        self.parameters: Final = parameters
        self.classes: Final = WaitingClasses[QueuedTask](parameters.least_gap_s)
        self.devices: Final[dict[str, DedicatedDevice]] = {}
        self.counters: Final = TenantCounters(weights)
        self.eligible: Final = Eligibility()
        self._waiting = NumberedTasks()
        self._times = KnownTimes(parameters)
        self._free = FreeDevices()
        self._freed: list[DedicatedDevice] = []
        self._fit = DeviceFit(self._free, self.classes)
        self._reservations = Reservations(self.devices, self.classes, self._free, self._fit)

    def __len__(self) -> int:
        """Tasks that wait."""
        return len(self._waiting)

    def task(self, number: int) -> QueuedTask | None:
        """The task with this number, if it waits."""
        return self._waiting.get(number)

    @property
    def holders(self) -> HolderIndex:
        """What classes have to expect of the devices that have their model."""
        return self._free.holders

    # -- what there is ---------------------------------------------------------------------------

    def attach(self, device: str, slots: int = 1, memory_mib: float = 0.0) -> None:
        """A device is there, with no model; it runs so many tasks at a time."""
        credit = SwapCredit(self.parameters.swap_share, self.parameters.credit_cap_loads)
        self.devices[device] = DedicatedDevice(device, slots, credit, memory_mib)
        self._fit.attach(memory_mib)
        self._free.note(self.devices[device])

    def detach(self, device: str, now: float) -> list[QueuedTask]:
        """A device is lost; the tasks that ran on it, which may be put into the queue again."""
        lost = self.devices[device]
        self._reservations.release_of(lost)
        head = lost.follows or lost
        tasks = [run.task for run in head.runs.values()]
        for run in head.runs.values():
            self.counters.charge(run.task.tenant, -run.expected_s)
            self.eligible.ended(run.task.class_id, run.task.tenant)
        head.runs.clear()
        head.loads_until = None
        give_up_model(head, self._free, self.classes, now)
        lost.serves = False
        self._free.note(head)
        self._free.note(lost)
        del self.devices[device]
        return tasks

    def serve(self, device: str, *, serves: bool) -> None:
        """A device takes tasks from now on, or none; what runs on it goes on."""
        self.devices[device].serves = serves
        if not serves:
            self._reservations.release_of(self.devices[device])
        self._free.note(self.devices[device])

    def register(
        self, class_id: str, *, load_s: float, p50_s: float, p99_s: float, takes: Instance = ONE
    ) -> None:
        """Make a class known with what is expected of it and what its model takes."""
        times = self._times.register(class_id, load_s=load_s, p50_s=p50_s, p99_s=p99_s)
        self._fit.register(class_id, takes)
        self.classes.register(class_id, times, (class_id,))

    # -- what happens ----------------------------------------------------------------------------

    def enqueue(self, task: QueuedTask, now: float) -> None:
        """A task waits; its class must be registered."""
        self._waiting.put(task)
        self.counters.arrived(task.tenant)
        self.classes.put(task, now)
        self._free.wanted(task.class_id)

    def rekey(self, task: QueuedTask, now: float) -> bool:
        """Put a task in the place of the one with its number; false if that does not wait."""
        before = self._waiting.get(task.number)
        if before is None:
            return False
        self.classes.replace(before, task, now)
        self._waiting.put(task)
        return True

    def cancel(self, number: int, now: float) -> QueuedTask | None:
        """Take a task out of the queue; None if it does not wait."""
        task = self._waiting.pop(number)
        if task is not None:
            self.classes.discard(task, now)
            self.counters.left(task.tenant)
        return task

    def loaded(self, device: str, load_s: float, now: float) -> None:  # noqa: ARG002 - as the rest
        """A load has ended; the device serves the class that it was for first."""
        holder = self.devices[device]
        if holder.resident is None or holder.loads_until is None:
            raise ValueError(f"{device} loads nothing that could have ended")
        holder.loads_until = None
        holder.fresh = True
        self._times.loaded(holder.resident, load_s)
        self._free.note(holder)

    def ended(self, device: str, number: int, run_s: float, now: float) -> None:
        """A run has ended and its slot is free."""
        holder = self.devices[device]
        run = holder.runs.pop(number, None)
        if run is None:
            raise ValueError(f"{device} runs no task {number} that could have ended")
        self._times.ran(run.task.class_id, run_s)
        holder.credit.earn(run_s)
        for follower in holder.followers:
            follower.credit.earn(run_s)
        task = run.task
        self.counters.charge(task.tenant, (1 + len(holder.followers)) * run_s - run.expected_s)
        self.eligible.ended(task.class_id, task.tenant)
        holder.used_at = now
        self._freed.append(holder)

    # -- what is decided -------------------------------------------------------------------------

    def assign(self, now: float) -> Assigned:
        """Let free devices begin until none of them takes a task any more."""
        assigned = Assigned()
        if self.eligible.counts and self.eligible.has_reopened():
            self._free.all_wanted()
        if self._reservations.by_class:
            for ready in self._reservations.settled():
                self._load_reserved(ready, assigned, now)
        self._go_on(assigned, now)
        while len(self._free) and len(self._waiting) and self._assign_one(assigned, now):
            pass
        for hold in assigned.holds:
            queue = self.classes[hold.class_id]
            queue.hold = queue.hold or hold
        return assigned

    def _go_on(self, assigned: Assigned, now: float) -> None:
        """Those first on which something has ended: most of them have more of the same to do."""
        freed, self._freed = self._freed, []
        for device in freed:
            while device.free:
                if not self._fit.has_work(device) or self._acted(device, assigned, now) != "began":
                    self._free.note(device)
                    break

    def _assign_one(self, assigned: Assigned, now: float) -> bool:
        while (device := self._free.with_work_perhaps()) is not None:
            if self._fit.has_work(device) and self._acted(device, assigned, now) == "began":
                return True
            self._free.without_work(device.residents[0])
        for device in self._fit.of_each_size():
            verdict = self._acted(device, assigned, now)
            if verdict == "began":
                return True
            if isinstance(verdict, Hold):
                assigned.holds.append(verdict)
        return False

    def _acted(
        self, device: DedicatedDevice, assigned: Assigned, now: float
    ) -> Hold | Literal["nothing", "began"]:
        # Asked for every decision, and seldom anything else than nothing.
        some = self._reservations.by_class or device.memory_mib
        barred = self._reservations.barred_for(device) if some else _NONE
        eligible = self.eligible
        if eligible.counts:
            barred |= eligible.classes.closed
        free, fleet = self._free, self._times.fleet(len(self.devices))
        while True:
            choice = choose_class(
                device, self.classes, fleet, now, barred, free.holders, idle=len(free.idle)
            )
            if choice is None:
                return "nothing"
            if isinstance(choice, Hold):
                return choice
            queue = self.classes[choice.class_id]
            task = queue.next(self.counters, now, eligible.tenants.closed)
            if task is None:
                # None of a tenant that may begin anything.
                barred |= {choice.class_id}
            elif task.deadline is not None and self._times.is_too_late(task, choice.load_s, now):
                if choice.holders and not self._times.is_too_late(task, 0.0, now):
                    barred |= {choice.class_id}
                else:
                    self._expire(task, assigned, now)
            elif self._began(device, Start(device.name, task, choice), assigned, now):
                return "began"
            else:
                barred |= {choice.class_id}

    def _expire(self, task: QueuedTask, assigned: Assigned, now: float) -> None:
        self.cancel(task.number, now)
        self.classes[task.class_id].hold = None
        assigned.expired.append(task)

    def _began(self, device: DedicatedDevice, start: Start, assigned: Assigned, now: float) -> bool:
        """Start the task, load for it or keep devices for it; false where these are too few."""
        # What was held back before this may not be any more.
        assigned.holds.clear()
        task, choice = start.task, start.choice
        if not choice.swaps:
            self._start(device, task, now)
            assigned.starts.append(start)
            return True
        parts = self._fit.devices(task.class_id)
        if parts == 1 and device.idle:
            self._reservations.release(task.class_id)
            best = self._fit.most_suitable(device, task.class_id)
            self._load((best,), task, choice, assigned, now)
            return True
        reserved = self._reservations.reserve(device, choice, parts)
        if reserved is None:
            return False
        assigned.drains.append(Drain(tuple(d.name for d in reserved.devices), choice, now))
        for settled in self._reservations.settled():
            self._load_reserved(settled, assigned, now)
        return True

    def _start(self, device: DedicatedDevice, task: QueuedTask, now: float) -> None:
        self._waiting.pop(task.number)
        queue = self.classes.discard(task, now)
        queue.hold = None
        # Corrected by what the run took.
        expected_s = queue.times.mean_s * (1 + len(device.followers))
        device.runs[task.number] = Run(task, now, expected_s)
        device.fresh = False
        self.counters.started(task.tenant, expected_s)
        self.eligible.started(task.class_id, task.tenant)
        self._free.note(device)

    def _load_reserved(self, reserved: Reservation, assigned: Assigned, now: float) -> None:
        choice = reserved.choice
        queue = self.classes[choice.class_id]
        while (task := queue.next(self.counters, now)) is not None:
            if not self._times.is_too_late(task, choice.load_s, now):
                self._load(self._reservations.group(reserved), task, choice, assigned, now)
                return
            self._expire(task, assigned, now)

    def _load(
        self,
        devices: tuple[DedicatedDevice, ...],
        task: QueuedTask,
        choice: ClassChoice,
        assigned: Assigned,
        now: float,
    ) -> None:
        for device in devices:
            give_up_model(device, self._free, self.classes, now)
            device.credit.spend(choice.load_s, self._times.mean_load_s)
        head = form(devices, task.class_id, self._free)
        head.residents = (task.class_id,)
        head.slots = self._fit.slots(head, task.class_id)
        head.loads_until = now + choice.load_s
        self.classes.take_notice(head, now)
        self._free.note(head)
        self.classes[task.class_id].hold = None
        self.counters.charge(task.tenant, len(devices) * choice.load_s)
        assigned.loads.append(Load(tuple(device.name for device in devices), task, choice))
