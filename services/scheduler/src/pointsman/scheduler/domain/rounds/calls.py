"""The calls that one round opens, and who shares them."""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Final
from uuid import UUID

from pointsman.contracts.events.tasks import BatchPlace
from pointsman.policy.batching import MAX_BYTES, batch_s, largest
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import ClassId, OpenTask, attempt_name

LOOK: Final = 8
"""Calls that are looked at for one task; calls of one class differ in deadlines and sizes only."""

_ANY_SIZE: Final = 2**31

Place = tuple[ClassId, str, str]
"""Class, device and variant."""


@dataclass(slots=True)
class Call:
    """A call of one class, on one device, of one variant."""

    most: int
    parameters: dict[str, str] | None
    until: float = inf
    """Earliest deadline of its members."""
    size_bytes: int = 0
    members: list[tuple[UUID, int]] = field(default_factory=list[tuple[UUID, int]])
    """Task and attempt, in the order of the queue; the first one opened it."""

    def take(self, task: OpenTask) -> None:
        """One more member."""
        self.members.append((task.id, task.attempts + 1))
        self.size_bytes += task.payload.size
        if task.accepted.deadline is not None:
            self.until = min(self.until, task.accepted.deadline)

    @property
    def place(self) -> BatchPlace:
        """What its members' grants say of it."""
        return BatchPlace(id=attempt_name(*self.members[0]), size=len(self.members), most=self.most)


@dataclass(frozen=True, slots=True)
class _Times:
    """What is expected of a variant in this round."""

    alone_s: float
    added_s: float
    largest: int


class Calls:
    """Calls that were opened in this round, those with the fewest members first."""

    def __init__(self, pool: Pool, at: float) -> None:
        self._pool = pool
        self._at = at
        self._open: defaultdict[Place, deque[Call]] = defaultdict(deque)
        self._shared: list[Call] = []
        self._times: dict[str, _Times] = {}

    def open(self, task: OpenTask, device: Device, variant: str) -> None:
        """A task was given a slot; others may join if it can be in company."""
        most = device.max_batch_of.get(variant, 1)
        most = min(most, self._pool.batch_limits.get((device.name, variant), most))
        if most > 1 and not task.alone:
            call = Call(most, task.accepted.parameters)
            call.take(task)
            self._open[task.class_id, device.offer.device, variant].append(call)

    def joinable(self, task: OpenTask, device: str, variant: str) -> Call | None:
        """A call that has room for a task and stays within everybody's time."""
        calls = self._open.get((task.class_id, device, variant))
        if not calls or task.alone:
            return None
        largest_size = self._times_of(variant).largest
        accepted, size_bytes = task.accepted, task.payload.size
        until = inf if accepted.deadline is None else accepted.deadline
        for call, _ in zip(calls, range(LOOK), strict=False):
            expected = self.expected_s(call, variant)
            if (
                len(call.members) < min(call.most, largest_size)
                and self._at + expected <= min(call.until, until)
                and call.size_bytes + size_bytes <= MAX_BYTES
                and call.parameters == accepted.parameters
            ):
                return call
        return None

    def join(self, task: OpenTask, device: str, variant: str) -> None:
        """Enter a task into the call that `joinable` gives."""
        call = self.joinable(task, device, variant)
        if call is None:
            raise LookupError(f"no call of {variant} on {device} takes task {task.id}")
        if len(call.members) == 1:
            self._shared.append(call)
        call.take(task)
        # The next one goes to a call with fewer members.
        calls = self._open[task.class_id, device, variant]
        calls.remove(call)
        calls.append(call)

    def expected_s(self, call: Call, variant: str) -> float:
        """Time of a call with one more member."""
        times = self._times_of(variant)
        return batch_s(times.alone_s, times.added_s, len(call.members) + 1)

    def _times_of(self, variant: str) -> _Times:
        known = self._times.get(variant)
        if known is None:
            models = self._pool.models
            alone, added = models.run_times_of(variant), models.added_times_of(variant)
            known = self._times[variant] = _Times(
                alone.p50_s, added.p50_s, largest(alone, added, _ANY_SIZE)
            )
        return known

    def shared(self) -> Iterator[tuple[UUID, BatchPlace]]:
        """Every task that is not alone in its call, and its call."""
        for call in self._shared:
            place = call.place
            for task, _ in call.members:
                yield task, place
