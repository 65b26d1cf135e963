"""All classes: which have work, which of those are on no device, and which of these comes first."""

from collections.abc import Iterator

from pointsman.policy.class_queue import ClassQueue
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.lateness import due_to_begin
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.ranking import Ranking


class WaitingClasses:
    """The queues of all classes with an index over the heads of those that are on no device."""

    def __init__(self) -> None:
        self._queues: dict[str, ClassQueue] = {}
        self._numbers: dict[str, int] = {}
        self._holders: dict[str, list[DedicatedDevice]] = {}
        self._homeless: Ranking[str] = Ranking()
        self._since: Ranking[str] = Ranking()

    def register(self, class_id: str, times: ClassTimes) -> ClassQueue:
        """Make a class known."""
        queue = self._queues[class_id] = ClassQueue(class_id, times)
        self._numbers[class_id] = len(self._numbers)
        return queue

    def __getitem__(self, class_id: str) -> ClassQueue:
        return self._queues[class_id]

    def __contains__(self, class_id: str) -> bool:
        return class_id in self._queues

    def homeless_with_work(self) -> Iterator[ClassQueue]:
        """Classes with work that are on no device."""
        return (self._queues[class_id] for _, _, class_id in self._homeless)

    def holders(self, class_id: str) -> list[DedicatedDevice]:
        """Devices that have the class's model."""
        return self._holders.get(class_id, [])

    def held_with_work(self) -> Iterator[ClassQueue]:
        """Classes with work that are on some device."""
        return (queue for class_id in self._holders if (queue := self._queues[class_id]))

    def homeless_first(self) -> ClassQueue | None:
        """Of the classes on no device the one for which a load has to begin first."""
        first = self._homeless.first()
        return None if first is None else self._queues[first[2]]

    def longest_waiting(self) -> tuple[float, ClassQueue] | None:
        """The class that waits longest for a device, and since when."""
        first = self._since.first()
        return None if first is None else (first[0], self._queues[first[2]])

    def waiting_since(self, class_id: str) -> float | None:
        """Since when a class waits for a device, if it does."""
        return self._since.key_of(class_id)

    @property
    def homeless(self) -> int:
        """Number of classes with work that are on no device."""
        return len(self._homeless)

    def put(self, task: QueuedTask, now: float) -> None:
        """Add a task."""
        if self._queues[task.class_id].put(task) and task.class_id not in self._holders:
            self._index(task.class_id, now)

    def discard(self, task: QueuedTask, now: float) -> None:
        """Remove a task that waits."""
        if self._queues[task.class_id].discard(task) and task.class_id not in self._holders:
            self._index(task.class_id, now)

    def replace(self, before: QueuedTask, task: QueuedTask, now: float) -> None:
        """Put a task in the place of another of its class, which does not begin to wait anew."""
        queue = self._queues[task.class_id]
        moved = queue.discard(before)
        if (queue.put(task) or moved) and task.class_id not in self._holders:
            self._index(task.class_id, now)

    def move(self, device: DedicatedDevice, class_id: str | None, now: float) -> None:
        """A device has another model from now on, or none."""
        before = device.resident
        device.resident = class_id
        if before is not None:
            self._holders[before].remove(device)
            if not self._holders[before]:
                del self._holders[before]
            self._index(before, now)
        if class_id is not None:
            self._holders.setdefault(class_id, []).append(device)
            self._index(class_id, now)

    def _index(self, class_id: str, now: float) -> None:
        queue = self._queues[class_id]
        head = None if class_id in self._holders else queue.head()
        if head is None:
            self._homeless.discard(class_id)
            self._since.discard(class_id)
            return
        number = self._numbers[class_id]
        self._homeless.put(class_id, due_to_begin(head.key, queue.times.load_s), number)
        if class_id not in self._since:
            self._since.put(class_id, now, number)
