"""Which class a free device runs next, and why.

1. A class that has waited for a device longer than the bound comes first, whatever it costs.
2. A device stays with its model while that has work, unless some other class is late and the
   device has the credit to load it.
3. Of the late classes the one for which a device must begin first.
4. Otherwise the one with most work per device that has it, and the oldest head; or none, if every
   class that waits is better served by the device that has its model.
"""

from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from pointsman.policy.class_queue import ClassQueue
from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.hold import Hold
from pointsman.policy.holder_wait import PATIENCE, expected_wait_s, waits_for_holder
from pointsman.policy.lateness import due_to_begin
from pointsman.policy.wait_bound import wait_bound_s
from pointsman.policy.waiting_classes import WaitingClasses


class Rule(StrEnum):
    """What decided; the order of the rules."""

    OVERDUE = "overdue"
    RESIDENT = "resident"
    LATE = "late"
    BACKLOG = "backlog"


class ClassChoice(msgspec.Struct, frozen=True, gc=False):
    """A class for a device with the figures that the rule compared; durations in seconds."""

    class_id: str
    rule: Rule
    swaps: bool
    """Its model has to be loaded first."""
    load_s: float
    """Expected load; 0 without a swap."""
    credit_s: float
    """What the device could spend."""
    backlog: int
    """Tasks of the class that wait."""
    holders: int
    """Devices that have its model already."""
    begin_in_s: float
    """Until its head is late; negative by how much it is."""
    waited_s: float
    """How long the class has waited for a device."""
    bound_s: float
    """B at this moment."""


class Fleet(NamedTuple):
    """What a choice needs to know of all devices and classes together."""

    devices: int
    mean_load_s: float
    least_load_s: float
    run_p99_s: float
    """Of all classes."""

    def wait_bound_s(self, waiting: int) -> float:
        """B with so many classes that wait for a device."""
        return wait_bound_s(
            classes=waiting,
            devices=self.devices,
            load_s=self.mean_load_s,
            run_p99_s=self.run_p99_s,
        )


def choose_class(
    device: DedicatedDevice,
    classes: WaitingClasses,
    fleet: Fleet,
    now: float,
    barred: Collection[str] = (),
) -> ClassChoice | Hold | None:
    """The class that a free device runs next; None without one that waits.

    `barred` are classes whose next task is in time only on a device that has their model.
    """
    return _Look(device, classes, fleet, now, barred).choice()


class _Look:
    """One device at one moment."""

    __slots__ = (
        *("_barred", "_blocked", "_bound_s", "_classes"),
        *("_credit_s", "_device", "_least_load_s", "_now"),
    )

    def __init__(
        self,
        device: DedicatedDevice,
        classes: WaitingClasses,
        fleet: Fleet,
        now: float,
        barred: Collection[str],
    ) -> None:
        self._device = device
        self._classes = classes
        self._now = now
        self._barred = barred
        self._least_load_s = fleet.least_load_s
        self._credit_s = device.credit.left_s(fleet.mean_load_s)
        self._bound_s = fleet.wait_bound_s(classes.homeless)
        self._blocked: list[tuple[float, str]] = []

    def choice(self) -> ClassChoice | Hold | None:
        overdue = self._overdue()
        if overdue is not None:
            return self._chosen(overdue, Rule.OVERDUE)
        resident = self._resident()
        if resident is not None and self._credit_s < self._least_load_s:
            return self._chosen(resident, Rule.RESIDENT)
        late = self._late()
        if resident is not None and (late is None or self._credit_s < late.times.load_s):
            return self._chosen(resident, Rule.RESIDENT)
        if late is not None:
            return self._chosen(late, Rule.LATE)
        most = max(self._candidates(), key=self._claim, default=None)
        return self._hold() if most is None else self._chosen(most, Rule.BACKLOG)

    def _overdue(self) -> ClassQueue | None:
        longest = self._classes.longest_waiting()
        if longest is None or self._now - longest[0] <= self._bound_s:
            return None
        return longest[1]

    def _resident(self) -> ClassQueue | None:
        name = self._device.resident
        return None if name is None or name in self._barred else self._classes[name] or None

    def _late(self) -> ClassQueue | None:
        best = self._classes.homeless_first()
        begin_at = float("inf") if best is None else self._begin_at(best)
        for queue in self._elsewhere():
            if (at := self._begin_at(queue)) < begin_at:
                best, begin_at = queue, at
        return best if begin_at <= self._now else None

    def _candidates(self) -> Iterator[ClassQueue]:
        yield from self._classes.homeless_with_work()
        yield from self._elsewhere()

    def _elsewhere(self) -> Iterator[ClassQueue]:
        """Classes on other devices that need not wait for those."""
        self._blocked.clear()
        for queue in self._classes.held_with_work():
            name = queue.class_id
            if name == self._device.resident:
                continue
            wait_s = expected_wait_s(queue, self._classes.holders(name), self._now)
            if name in self._barred:
                patience_s = PATIENCE * queue.times.load_s
                self._blocked.append((self._now + min(wait_s or patience_s, patience_s), name))
            elif not waits_for_holder(queue, wait_s, self._now):
                yield queue
            elif wait_s:
                until = self._now + wait_s if queue.hold is None else queue.hold.until
                self._blocked.append((until, name))

    def _begin_at(self, queue: ClassQueue) -> float:
        head = queue.head()
        return float("inf") if head is None else due_to_begin(head.key, queue.times.load_s)

    def _claim(self, queue: ClassQueue) -> float:
        head = queue.head()
        age_s = 0.0 if head is None else self._now - head.arrival
        return queue.backlog_s / (len(self._classes.holders(queue.class_id)) + 1) + age_s

    def _hold(self) -> Hold | None:
        if not self._blocked:
            return None
        until, class_id = min(self._blocked)
        return Hold(self._device.name, class_id, since=self._now, until=until)

    def _chosen(self, queue: ClassQueue, rule: Rule) -> ClassChoice:
        swaps = queue.class_id != self._device.resident
        since = self._classes.waiting_since(queue.class_id)
        head = queue.head()
        load_s = queue.times.load_s if swaps else 0.0
        due = self._now if head is None else due_to_begin(head.key, load_s)
        return ClassChoice(
            class_id=queue.class_id,
            rule=rule,
            swaps=swaps,
            load_s=load_s,
            credit_s=self._credit_s,
            backlog=len(queue),
            holders=len(self._classes.holders(queue.class_id)),
            begin_in_s=due - self._now,
            waited_s=0.0 if since is None else self._now - since,
            bound_s=self._bound_s,
        )
