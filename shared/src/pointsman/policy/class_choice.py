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
from typing import Any, Generic

import msgspec

from pointsman.policy.class_queue import ClassQueue, TaskT
from pointsman.policy.dedicated_device import ServingDevice
from pointsman.policy.hold import Hold
from pointsman.policy.holder_index import HolderIndex
from pointsman.policy.holder_wait import (
    HolderWait,
    holder_wait,
    patience_loads,
    waits_for_holder,
)
from pointsman.policy.lateness import due_to_begin
from pointsman.policy.parameters import DEFAULTS, Parameters
from pointsman.policy.queued_task import ClassId
from pointsman.policy.wait_bound import round_s, rounds
from pointsman.policy.waiting_classes import WaitingClasses


class Rule(StrEnum):
    """What decided; the order of the rules."""

    OVERDUE = "overdue"
    RESIDENT = "resident"
    LATE = "late"
    BACKLOG = "backlog"
    ROOM = "room"
    """No choice was needed: it fits beside what a shared device has."""


class ClassChoice(msgspec.Struct, frozen=True, gc=False):
    """A class for a device with the figures that the rule compared; durations in seconds."""

    class_id: Any
    """As in `ClassId`."""
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
    unload_s: float = 0.0
    """Expected until what the device has is gone; 0 without a swap."""


class Fleet:
    """What a choice knows of all; nothing starts of `closed` classes and on `refused` devices."""

    __slots__ = (
        *("_bounds_s", "_round_s", "closed", "devices", "least_load_s"),
        *("mean_load_s", "parameters", "refused", "run_p99_s"),
    )

    def __init__(
        self,
        devices: int,
        mean_load_s: float,
        least_load_s: float,
        run_p99_s: float,
        parameters: Parameters = DEFAULTS,
        closed: Collection[ClassId] = (),
        refused: Collection[str] = (),
    ) -> None:
        self.devices = devices
        self.mean_load_s = mean_load_s
        self.least_load_s = least_load_s
        self.run_p99_s = run_p99_s
        """Of all classes."""
        self.parameters = parameters
        self.closed, self.refused = closed, refused
        self._round_s = round_s(
            load_s=mean_load_s, run_p99_s=run_p99_s, share=parameters.swap_share
        )
        # Asked for every decision.
        self._bounds_s: dict[int, float] = {}

    def wait_bound_s(self, waiting: int) -> float:
        """B with so many classes that wait for a device."""
        bound_s = self._bounds_s.get(waiting)
        if bound_s is None:
            bound_s = self._bounds_s[waiting] = rounds(waiting, self.devices) * self._round_s
        return bound_s


def choose_class(
    device: ServingDevice,
    classes: WaitingClasses[TaskT],
    fleet: Fleet,
    now: float,
    barred: Collection[ClassId] = (),
    waits: HolderIndex | None = None,
    *,
    unload_s: float = 0.0,
    idle: int = 1,
) -> ClassChoice | Hold | None:
    """The class that a free device runs next; None without one that waits.

    `barred` are classes that may not be chosen for it: their next task would be in time only on a
    device that has their model, or nothing of them may be loaded here. `waits` knows of the holders
    what a look at each of them tells otherwise. `unload_s` is what the device needs to be rid of
    what it has, before it can load anything else. `idle` devices have nothing to do.
    """
    return _Look(device, classes, fleet, now, barred, waits, unload_s, idle).choice()


class _Look(Generic[TaskT]):
    """One device at one moment."""

    __slots__ = (
        *("_barred", "_blocked", "_bound_s", "_classes", "_credit_s", "_device"),
        *("_fleet", "_found", "_idle", "_now", "_unload_s", "_waits"),
    )

    def __init__(
        self,
        device: ServingDevice,
        classes: WaitingClasses[TaskT],
        fleet: Fleet,
        now: float,
        barred: Collection[ClassId],
        waits: HolderIndex | None,
        unload_s: float,
        idle: int,
    ) -> None:
        self._device = device
        self._classes = classes
        self._now = now
        self._barred = barred
        self._fleet = fleet
        self._credit_s = device.credit.left_s(fleet.mean_load_s)
        self._bound_s = fleet.wait_bound_s(classes.homeless)
        self._waits = waits
        self._unload_s = unload_s
        self._idle = idle
        self._blocked: list[tuple[float, int, ClassId]] = []
        self._found: list[ClassQueue[TaskT]] | None = None

    def choice(self) -> ClassChoice | Hold | None:
        resident = self._resident()
        if resident is not None and self._device.fresh:
            # What was loaded for a task serves one before it goes.
            return self._chosen(resident, Rule.RESIDENT)
        overdue = self._overdue()
        if overdue is not None:
            return self._chosen(overdue, Rule.OVERDUE)
        if resident is not None and self._credit_s < self._fleet.least_load_s + self._unload_s:
            return self._chosen(resident, Rule.RESIDENT)
        late = self._late()
        if resident is not None and (
            late is None or self._credit_s < late.times.load_s + self._unload_s
        ):
            return self._chosen(resident, Rule.RESIDENT)
        if late is not None:
            return self._chosen(late, Rule.LATE)
        most = max((*self._homeless(), *self._elsewhere()), key=self._claim, default=None)
        return self._hold() if most is None else self._chosen(most, Rule.BACKLOG)

    def _overdue(self) -> ClassQueue[TaskT] | None:
        since = self._classes.longest_waiting_since()
        if since is None or self._now - since <= self._bound_s:
            return None
        for since, queue in self._classes.longest_waiting():
            if self._now - since <= self._bound_s:
                return None
            if queue.class_id not in self._barred:
                return queue
        return None

    def _resident(self) -> ClassQueue[TaskT] | None:
        best: ClassQueue[TaskT] | None = None
        first: TaskT | None = None
        for variant in self._device.residents:
            for queue in self._classes.admitting(variant):
                head = queue.head()
                if head is None or queue.class_id in self._barred:
                    continue
                if first is None or (head.key, head.number) < (first.key, first.number):
                    best, first = queue, head
        return best

    def _late(self) -> ClassQueue[TaskT] | None:
        best = next(self._homeless(), None)
        first = (float("inf"), 0) if best is None else self._begin_at(best)
        for queue in self._elsewhere():
            # Of equals the one whose head came first, in whatever order they are looked at.
            if (begin := self._begin_at(queue)) < first:
                best, first = queue, begin
        # The unload comes before any load, so that it changes when, and not which.
        return best if first[0] <= self._now + self._unload_s else None

    def _homeless(self) -> Iterator[ClassQueue[TaskT]]:
        barred = self._barred
        for queue in self._classes.homeless_with_work():
            if queue.class_id not in barred:
                yield queue

    def _elsewhere(self) -> list[ClassQueue[TaskT]]:
        """Classes on other devices that need not wait for those."""
        if self._found is None:
            self._found = list(self._looked_for())
        return self._found

    def _looked_for(self) -> Iterator[ClassQueue[TaskT]]:
        residents = self._device.residents
        figures = self._fleet.parameters
        loads = patience_loads(
            self._idle, figures.holder_patience_loads, figures.idle_patience_loads
        )
        unserved = figures.unserved_patience_loads
        for queue in self._classes.held_with_work():
            class_id, head = queue.class_id, queue.head()
            if head is None or any(variant in queue.variants for variant in residents):
                continue
            wait = self._wait_of(queue)
            wait_s = wait.expected_s
            if class_id in self._barred:
                served = wait_s and class_id not in self._fleet.closed
                most_s = (loads if served else min(loads, unserved)) * queue.times.load_s
                if served or unserved:
                    until = self._now + min(wait_s or most_s, most_s)
                    self._blocked.append((until, head.number, class_id))
            elif not waits_for_holder(queue, wait, self._now, loads):
                yield queue
            elif wait_s and (unserved or class_id not in self._fleet.closed):
                hold = None if wait.provided else queue.hold
                until = self._now + wait_s if hold is None else hold.until
                self._blocked.append((until, head.number, class_id))

    def _wait_of(self, queue: ClassQueue[TaskT]) -> HolderWait:
        if self._waits is not None:
            return self._waits.wait(queue, self._now)
        holders = self._classes.holders(queue.class_id)
        serving = (each for each in holders if each.name not in self._fleet.refused)
        return holder_wait(queue, serving, self._now)

    def _begin_at(self, queue: ClassQueue[TaskT]) -> tuple[float, int]:
        head = queue.head()
        if head is None:
            return float("inf"), 0
        return due_to_begin(head.key, queue.times.load_s), head.number

    def _claim(self, queue: ClassQueue[TaskT]) -> tuple[float, int]:
        head = queue.head()
        if head is None:
            return 0.0, 0
        work_s = queue.backlog_s / (len(self._classes.holders(queue.class_id)) + 1)
        return work_s + self._now - head.arrival, -head.number

    def _hold(self) -> Hold | None:
        if not self._blocked:
            return None
        until, _, class_id = min(self._blocked)
        return Hold(self._device.name, class_id, since=self._now, until=until)

    def _chosen(self, queue: ClassQueue[TaskT], rule: Rule) -> ClassChoice:
        swaps = rule is not Rule.RESIDENT
        since = self._classes.waiting_since(queue.class_id) if swaps else None
        head = queue.head()
        load_s = queue.times.load_s if swaps else 0.0
        unload_s = self._unload_s if swaps else 0.0
        due = self._now if head is None else due_to_begin(head.key, load_s + unload_s)
        return ClassChoice(
            class_id=queue.class_id,
            rule=rule,
            swaps=swaps,
            load_s=load_s,
            credit_s=self._credit_s,
            backlog=queue.count,
            holders=len(self._classes.holders(queue.class_id)),
            begin_in_s=due - self._now,
            waited_s=0.0 if since is None else self._now - since,
            bound_s=self._bound_s,
            unload_s=unload_s,
        )
