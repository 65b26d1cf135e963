"""Residency: what is loaded on the devices whose models the leader chooses.

A round grants at most one change, so that each stands on what the one before it left; the next
round follows as soon as it is recorded.
"""

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import DeviceMode, DeviceScore
from pointsman.contracts.streams import stream_id
from pointsman.policy.class_choice import ClassChoice, Fleet, Rule, choose_class
from pointsman.policy.class_queue import ClassQueue
from pointsman.policy.hold import Hold
from pointsman.policy.lateness import due_to_begin
from pointsman.scheduler.domain.devices import IDLE_UNLOAD_S, Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.asked_changes import decide_asked
from pointsman.scheduler.domain.residency.change_events import ChangeEvents, Swap
from pointsman.scheduler.domain.residency.fitting import Fit, Fitting
from pointsman.scheduler.domain.residency.warm_up import likely_next
from pointsman.scheduler.domain.rounds.expiring import load_too_late
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.tasks import OpenTask


@dataclass(slots=True)
class ResidencyRound:
    """What a round decides about residency, and which devices take no task in it."""

    decided: list[Decided] = field(default_factory=list[Decided])
    reserved: dict[str, str] = field(default_factory=dict[str, str])
    """By device: why."""


def decide_residency(
    pool: Pool, gates: Gates, *, at: float, skip: AbstractSet[UUID]
) -> ResidencyRound:
    """Loads, drains and holds; streams in `skip` have a decision of this round already."""
    if all(device.offer.mode is DeviceMode.FIXED for device in pool.devices.values()):
        return ResidencyRound()
    return _Residency(pool, gates, at, skip).round()


class _Residency:
    """One look at all devices whose models the leader chooses."""

    def __init__(self, pool: Pool, gates: Gates, at: float, skip: AbstractSet[UUID]) -> None:
        self._pool = pool
        self._gates = gates
        self._at = at
        self._skip = set(skip)
        self._classes = pool.waiting.classes
        self._fitting = Fitting(pool, gates, at)
        self._events = ChangeEvents(pool, self._fitting, at)
        self._devices = [
            device
            for device in pool.devices.values()
            if device.offer.mode is not DeviceMode.FIXED and device.status is DeviceStatus.READY
        ]
        mean_s, least_s = pool.models.load_s
        self._fleet = Fleet(
            len(self._devices) or 1,
            mean_s,
            least_s,
            pool.models.runs.p99_s,
            pool.policy.parameters,
        )
        self._no_tenants = {name for name in gates.tenants() if gates.tenant_refused(name, 0)}
        self._barred: set[Hashable] = {
            class_id for class_id, _ in pool.waiting.queues() if gates.class_refused(class_id)
        }
        self._served: set[Hashable] = set()
        """Classes that a free device serves from this round on; nobody else need load them."""
        self._round = ResidencyRound()

    def round(self) -> ResidencyRound:
        """What operators ask for, then the devices, until one of them is given a change."""
        asked = decide_asked(self._pool, self._gates, self._fitting, at=self._at, skip=self._skip)
        granted, self._round.reserved = asked.granted, asked.reserved
        for device in self._in_order() if granted is None else ():
            swap = self._shared(device) or self._look(device)
            granted = self._idle(device) if swap is None else self._change(device, swap)
            if granted is not None:
                break
        if granted is not None:
            # The others decide on what this one leaves, in the next round.
            self._round.decided.append(granted)
            for other in self._devices:
                self._round.reserved[other.name] = "the load of another device comes first"
        return self._round

    def _in_order(self) -> Iterator[Device]:
        """Devices with a free slot: those whose models have work, then those used longest ago."""
        free = [
            device
            for device in self._devices
            if device.changing is None
            and device.begun_at is None
            and stream_id("device", device.name) not in self._skip
            and device.name not in self._round.reserved
            and self._gates.device_refused(device) is None
        ]
        return iter(sorted(free, key=lambda d: (not self._has_work(d), d.used_at, d.name)))

    def _has_work(self, device: Device) -> bool:
        return any(True for _ in self._classes.served_by(device.residents))

    def _shared(self, device: Device) -> Swap | None:
        """A class on no device that fits beside what a shared device has."""
        if device.offer.mode is not DeviceMode.SHARED:
            return None
        for queue in self._classes.homeless_with_work():
            task = None if queue.class_id in self._barred else self._next(queue.class_id)
            fit = None if task is None else self._fitting.fit(task, device, displacing=False)
            if task is not None and isinstance(fit, Fit):
                return Swap(self._beside(queue, device, task), task, fit)
        return None

    def _beside(self, queue: ClassQueue[OpenTask], device: Device, head: OpenTask) -> ClassChoice:
        load_s = queue.times.load_s
        since = self._classes.waiting_since(queue.class_id)
        return ClassChoice(
            class_id=queue.class_id,
            rule=Rule.ROOM,
            swaps=False,
            load_s=load_s,
            credit_s=device.credit.left_s(self._fleet.mean_load_s),
            backlog=len(queue),
            holders=0,
            begin_in_s=due_to_begin(head.key, load_s) - self._at,
            waited_s=0.0 if since is None else self._at - since,
            bound_s=self._fleet.wait_bound_s(self._classes.homeless),
        )

    def _look(self, device: Device) -> Swap | None:
        """What the policy would have the device load now, if anything."""
        barred = self._barred | self._served_elsewhere(device) | self._left_alone(device)
        while True:
            choice = choose_class(device, self._classes, self._fleet, self._at, barred)
            if isinstance(choice, Hold):
                if choice.class_id not in self._served:
                    self._hold(choice)
                return None
            if choice is None:
                return None
            task = self._next(choice.class_id)
            if task is not None and not choice.swaps:
                self._served.add(choice.class_id)
                return None
            if task is not None:
                fit = self._fitting.fit(task, device, displacing=True)
                if isinstance(fit, Fit):
                    return Swap(choice, task, fit)
                elsewhere = choice.holders and self._fitting.meets(task, task.accepted.variants)
                if fit.too_late and not elsewhere and task.deadline is not None:
                    self._expire(task, task.deadline, fit.needed_s)
            barred.add(choice.class_id)

    def _left_alone(self, device: Device) -> set[Hashable]:
        """Classes that its models are for, and kept from by their breakers: others may use it."""
        breakers = self._pool.breakers
        if not breakers.troubled:
            return set()
        return {
            queue.class_id
            for queue in self._classes.served_by(device.residents)
            if all(
                breakers.refused(device.name, variant, at=self._at, taken=0)
                for variant in queue.variants
                if variant in device.residents
            )
        }

    def _served_elsewhere(self, device: Device) -> set[Hashable]:
        residents = device.residents
        return {
            class_id
            for class_id in self._served
            if not any(variant in residents for variant in self._classes[class_id].variants)
        }

    def _next(self, class_id: Hashable) -> OpenTask | None:
        queue = self._classes[class_id]
        task = queue.next(self._pool.waiting.counters, self._at, self._no_tenants)
        if task is None or task.id in self._skip or self._gates.task_refused(task):
            return None
        return task

    def _expire(self, task: OpenTask, deadline: float, needed_s: float) -> None:
        event = load_too_late(self._pool, deadline, at=self._at, needed_s=needed_s)
        self._round.decided.append(Decided(task.id, task.version, (event,), task.tenant))
        self._skip.add(task.id)

    def _change(self, device: Device, swap: Swap) -> Decided | None:
        """The load itself; None while devices that it takes have calls in flight."""
        if device.offer.mode is not DeviceMode.DEDICATED:
            return self._load(device, swap)
        if not device.occupied and not self._has_work(device):
            device = max(self._equals(device, swap), key=lambda d: self._score(d, swap).score)
            fit = self._fitting.fit(swap.task, device, displacing=True)
            swap = replace(swap, fit=fit) if isinstance(fit, Fit) else swap
        members = [self._pool.devices[name] for name in swap.fit.members]
        if not all(each.idle for each in (device, *members)):
            for each in (device, *members):
                self._round.reserved[each.name] = f"it drains for {swap.fit.variant}"
            return None
        for member in members:
            if loaded := self._fitting.loaded(member):
                return self._events.gang_unload(member, loaded, swap)
        return self._load(device, swap)

    def _equals(self, device: Device, swap: Swap) -> list[Device]:
        others = [
            other
            for other in self._in_order()
            if other is not device
            and other.idle
            and not self._has_work(other)
            and other.offer.mode is device.offer.mode
            and isinstance(fit := self._fitting.fit(swap.task, other, displacing=True), Fit)
            and fit.variant == swap.fit.variant
        ]
        return [device, *others]

    def _score(self, device: Device, swap: Swap) -> DeviceScore:
        return self._fitting.score(device, swap.fit.variant)

    def _load(self, device: Device, swap: Swap) -> Decided:
        equals = [device] if self._has_work(device) else self._equals(device, swap)
        scores = [(each, self._score(each, swap)) for each in equals]
        return self._events.load(device, swap, scores)

    def _idle(self, device: Device) -> Decided | None:
        """A device with nothing to do: warm it up for what is likely, or give its memory back."""
        if not device.idle or self._has_work(device):
            return None
        expected = likely_next(self._pool, self._fitting, self._gates, device, at=self._at)
        if expected is not None:
            return self._events.warm_up(device, expected)
        loaded = self._fitting.loaded(device)
        if loaded and self._at - device.used_at >= IDLE_UNLOAD_S:
            return self._events.idle_unload(device, loaded)
        return None

    def _hold(self, hold: Hold) -> None:
        queue = self._classes[hold.class_id]
        head = queue.head()
        stream = stream_id("device", hold.device)
        if queue.hold is not None or head is None or stream in self._skip:
            return
        self._skip.add(stream)
        self._round.decided.append(self._events.hold(hold, head))
