"""Residency: what is loaded on the devices whose models the leader chooses.

A round grants at most one change, so that each stands on what the one before it left; the next
round follows as soon as it is recorded.
"""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import DeviceMode, DeviceScore
from pointsman.contracts.streams import stream_id
from pointsman.policy.class_choice import ClassChoice, Rule, choose_class
from pointsman.policy.class_queue import ClassQueue
from pointsman.policy.hold import Hold
from pointsman.policy.lateness import due_to_begin
from pointsman.scheduler.domain.devices import IDLE_UNLOAD_S, Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.asked_changes import decide_asked
from pointsman.scheduler.domain.residency.change_events import ChangeEvents, Swap
from pointsman.scheduler.domain.residency.fitting import Fit, Fitting
from pointsman.scheduler.domain.residency.known import fleet_of
from pointsman.scheduler.domain.residency.warm_up import Expected, WarmUps
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
    """A change, what makes room for one, and what is kept free.

    Streams in `skip` have a decision of this round already.
    """
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
        self._warm_ups: WarmUps | None = None
        self._displacing: tuple[Device, Expected] | None = None
        """The first warm-up for which something has to go: for want of a device with room."""
        self._devices = [
            device
            for device in pool.devices.values()
            if device.offer.mode is not DeviceMode.FIXED and device.status is DeviceStatus.READY
        ]
        self._no_tenants = {name for name in gates.tenants() if gates.tenant_refused(name)}
        queues = pool.waiting.queues()
        self._barred: set[Hashable] = {each for each, _ in queues if gates.class_refused(each)}
        self._fleet = fleet_of(pool, gates, self._devices, self._barred, self._no_tenants, at)
        self._served: set[Hashable] = set()
        """Classes that a free device serves from this round on: whether a second one should load
        them is looked at when that has begun, which its queue does not show yet."""
        self._round = ResidencyRound()
        self._free: list[Device] = []
        """In the order in which they are looked at."""
        self._at_work: set[str] = set()
        """Those of them whose models have work."""
        self._spare = 0
        """How many of them have nothing to do."""

    def round(self) -> ResidencyRound:
        """What operators ask for, then the devices, until one of them is given a change."""
        asked = decide_asked(self._pool, self._gates, self._fitting, self._events, skip=self._skip)
        granted, self._round.reserved = asked.granted, asked.reserved
        self._free = self._in_order() if granted is None else []
        self._spare = sum(d.idle and d.name not in self._at_work for d in self._free)
        for device in self._free:
            swap = self._shared(device) or self._look(device)
            granted = self._idle(device) if swap is None else self._change(device, swap)
            if granted is not None:
                break
        if granted is None and self._displacing is not None:
            granted = self._events.warm_up(*self._displacing)
        if granted is not None:
            # The others decide on what this one leaves, in the next round.
            self._round.decided.append(granted)
            for other in self._devices:
                self._round.reserved[other.name] = "the load of another device comes first"
        return self._round

    def _in_order(self) -> list[Device]:
        """Devices with a free slot: those whose models have work, then those used longest ago."""
        free = [
            device
            for device in self._devices
            if device.changing is None
            and device.begun_at is None
            and self._is_open(device)
            and self._gates.device_refused(device) is None
        ]
        self._at_work = {
            device.name
            for device in free
            if any(True for _ in self._classes.served_by(device.residents))
        }
        return sorted(free, key=lambda d: (d.name not in self._at_work, d.used_at, d.name))

    def _is_open(self, device: Device) -> bool:
        """Whether this round has decided nothing about it yet."""
        return (
            stream_id("device", device.name) not in self._skip
            and device.name not in self._round.reserved
        )

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
        unload_s = self._unload_s(device)
        while True:
            choice = choose_class(
                device,
                self._classes,
                self._fleet,
                self._at,
                barred,
                unload_s=unload_s,
                idle=self._spare,
            )
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

    def _unload_s(self, device: Device) -> float:
        """Until what it has is gone; a shared one may not have to give anything up."""
        dedicated = device.offer.mode is DeviceMode.DEDICATED
        return self._fitting.expected_s(self._fitting.loaded(device), "")[0] if dedicated else 0.0

    def _left_alone(self, device: Device) -> set[Hashable]:
        """Classes that its models are for, and kept from by their breakers: others may use it."""
        breakers = self._pool.breakers
        if not breakers.troubled:
            return set()
        return {
            queue.class_id
            for queue in self._classes.served_by(device.residents)
            if all(
                breakers.refused(device.name, variant, at=self._at)
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
        scores = self._scores(device, swap)
        if device.offer.mode is not DeviceMode.DEDICATED:
            return self._events.load(device, swap, scores)
        if len(scores) > 1:
            device, _ = max(scores, key=lambda scored: (scored[1].score, scored[0] is device))
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
        return self._events.load(device, swap, scores)

    def _scores(self, device: Device, swap: Swap) -> list[tuple[Device, DeviceScore]]:
        """The suitability of the device, and of those that could as well take the load."""
        dedicated = device.offer.mode is DeviceMode.DEDICATED
        alone = device.name in self._at_work or (dedicated and device.occupied > 0)
        return [
            (each, self._fitting.score(each, swap.fit.variant))
            for each in self._free
            if each is device or (not alone and self._could_as_well(each, device, swap))
        ]

    def _could_as_well(self, other: Device, device: Device, swap: Swap) -> bool:
        if not other.idle or other.name in self._at_work or not self._is_open(other):
            return False
        fit = self._fitting.fit(swap.task, other, displacing=True)
        alike = other.offer.mode is device.offer.mode
        return alike and isinstance(fit, Fit) and fit.variant == swap.fit.variant

    def _idle(self, device: Device) -> Decided | None:
        """A device with nothing to do: warm it up for what is likely, or give its memory back."""
        if not device.idle or device.name in self._at_work:
            return None
        if self._warm_ups is None:
            self._warm_ups = WarmUps(self._pool, self._fitting, self._gates, self._at)
        expected = self._warm_ups.likely_next(device)
        if expected is not None and expected.unload:
            self._displacing = self._displacing or (device, expected)
            return None
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
