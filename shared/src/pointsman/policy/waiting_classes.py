"""All classes: which have work, which of those are on no device, and which of these comes first."""

from collections.abc import Collection, Iterator, Sequence
from typing import Generic

from pointsman.policy.class_queue import LEAST_GAP_S, ClassQueue, TaskT
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.dedicated_device import ServingDevice
from pointsman.policy.lateness import due_to_begin
from pointsman.policy.queued_task import ClassId
from pointsman.policy.ranking import Ranking


class WaitingClasses(Generic[TaskT]):
    """The queues of all classes with an index over the heads of those that are on no device.

    A device with a variant holds every class that admits it.
    """

    def __init__(self, least_gap_s: float = LEAST_GAP_S) -> None:
        self._least_gap_s = least_gap_s
        self._queues: dict[ClassId, ClassQueue[TaskT]] = {}
        self._admitting: dict[str, list[ClassQueue[TaskT]]] = {}
        self._having: dict[str, list[ServingDevice]] = {}
        self._residents: dict[str, tuple[str, ...]] = {}
        self._holders: dict[ClassId, list[ServingDevice]] = {}
        self._homeless: Ranking[ClassId] = Ranking()
        self.homeless = 0
        """Number of classes with work that are on no device."""
        self._since: Ranking[ClassId] = Ranking()

    def register(
        self, class_id: ClassId, times: ClassTimes, variants: tuple[str, ...]
    ) -> ClassQueue[TaskT]:
        """Make a class known with the variants that may serve it, best first."""
        queue = ClassQueue[TaskT](class_id, times, variants, self._least_gap_s)
        self._queues[class_id] = queue
        for variant in variants:
            self._admitting.setdefault(variant, []).append(queue)
        holders = {
            device.name: device for variant in variants for device in self._having.get(variant, ())
        }
        if holders:
            self._holders[class_id] = list(holders.values())
        return queue

    def tune(self, least_gap_s: float) -> None:
        """Allow tenants to be so far ahead from now on."""
        self._least_gap_s = least_gap_s
        for queue in self:
            queue.tune(least_gap_s)

    def __getitem__(self, class_id: ClassId) -> ClassQueue[TaskT]:
        return self._queues[class_id]

    def __contains__(self, class_id: ClassId) -> bool:
        return class_id in self._queues

    def __iter__(self) -> Iterator[ClassQueue[TaskT]]:
        """Every class that is known."""
        return iter(self._queues.values())

    def get(self, class_id: ClassId) -> ClassQueue[TaskT] | None:
        """The queue of a class, if it is known."""
        return self._queues.get(class_id)

    def has_work(self, class_id: ClassId) -> bool:
        """Whether something waits in a class that is known."""
        return self._queues[class_id].count > 0

    def admitting(self, variant: str) -> Sequence[ClassQueue[TaskT]]:
        """Classes that the variant may serve, with work or without."""
        return self._admitting.get(variant, ())

    def served_by(self, residents: Collection[str]) -> Iterator[ClassQueue[TaskT]]:
        """Classes with work that one of these variants may serve; one may come twice."""
        for variant in residents:
            yield from (queue for queue in self._admitting.get(variant, ()) if queue.count)

    def homeless_with_work(self) -> Iterator[ClassQueue[TaskT]]:
        """Classes with work that are on no device, in the order in which loads have to begin."""
        return (self._queues[class_id] for class_id in self._homeless.items())

    def holders(self, class_id: ClassId) -> list[ServingDevice]:
        """Devices that have a variant of the class."""
        return self._holders.get(class_id, [])

    def held_with_work(self) -> Iterator[ClassQueue[TaskT]]:
        """Classes with work that are on some device."""
        return (queue for class_id in self._holders if (queue := self._queues[class_id]).count)

    def longest_waiting(self) -> Iterator[tuple[float, ClassQueue[TaskT]]]:
        """The classes that wait for a device and since when, the one that waits longest first."""
        return ((since, self._queues[class_id]) for since, _, class_id in self._since)

    def longest_waiting_since(self) -> float | None:
        """Since when the first of `longest_waiting` waits."""
        return self._since.first_key()

    def waiting_since(self, class_id: ClassId) -> float | None:
        """Since when a class waits for a device, if it does."""
        return self._since.key_of(class_id)

    def wait_since(self, class_id: ClassId, since: float, number: int) -> None:
        """Restore what `wait_of` gave of a class that waits for a device."""
        self._since.put(class_id, since, number)

    def wait_of(self, class_id: ClassId) -> tuple[float, int] | None:
        """What `wait_since` takes; None if the class waits for no device."""
        return self._since.entry_of(class_id)

    def put(self, task: TaskT, now: float) -> None:
        """Add a task."""
        class_id = task.class_id
        if self._queues[class_id].put(task) and class_id not in self._holders:
            self._index(class_id, now)

    def discard(self, task: TaskT, now: float) -> ClassQueue[TaskT]:
        """Remove a task that waits; the queue that it waited in."""
        class_id = task.class_id
        queue = self._queues[class_id]
        if queue.discard(task) and class_id not in self._holders:
            self._index(class_id, now)
        return queue

    def replace(self, before: TaskT, task: TaskT, now: float) -> None:
        """Put a task in the place of another of its class, which does not begin to wait anew."""
        self._replace(before, before.key, task, now)

    def rekeyed(self, task: TaskT, key: float, now: float) -> None:
        """A task that waits has another key than this one; it does not begin to wait anew."""
        self._replace(task, key, task, now)

    def _replace(self, before: TaskT, key: float, task: TaskT, now: float) -> None:
        queue = self._queues[task.class_id]
        moved = queue.discard(before, key)
        if (queue.put(task) or moved) and task.class_id not in self._holders:
            self._index(task.class_id, now)

    def reindex(self, variant: str, now: float) -> None:
        """Another load time is expected of a variant."""
        for queue in self._admitting.get(variant, ()):
            self._index(queue.class_id, now)

    def take_notice(self, device: ServingDevice, now: float) -> None:
        """A device has other residents than at the last notice, or is gone: then without any."""
        before = self._residents.get(device.name, ())
        after = tuple(device.residents)
        self._residents[device.name] = after
        for variant in before:
            if variant not in after:
                having = self._having[variant]
                having[:] = [other for other in having if other.name != device.name]
        for variant in after:
            if variant not in before:
                self._having.setdefault(variant, []).append(device)
        for variant in dict.fromkeys((*before, *after)):
            if variant in before and variant in after:
                continue
            for queue in self._admitting.get(variant, ()):
                self._hold(queue, device, holds=any(v in after for v in queue.variants), now=now)

    def _hold(
        self, queue: ClassQueue[TaskT], device: ServingDevice, *, holds: bool, now: float
    ) -> None:
        class_id = queue.class_id
        others = [each for each in self.holders(class_id) if each.name != device.name]
        held = [*others, device] if holds else others
        if held:
            self._holders[class_id] = held
        else:
            self._holders.pop(class_id, None)
        self._index(class_id, now)

    def _index(self, class_id: ClassId, now: float) -> None:
        queue = self._queues[class_id]
        head = None if class_id in self._holders else queue.head()
        if head is None:
            self._homeless.discard(class_id)
            self.homeless = len(self._homeless)
            self._since.discard(class_id)
            return
        # Equals in time stand in the order of their heads, which no snapshot can lose.
        self._homeless.put(class_id, due_to_begin(head.key, queue.times.load_s), head.number)
        self.homeless = len(self._homeless)
        if class_id not in self._since:
            self._since.put(class_id, now, head.number)
