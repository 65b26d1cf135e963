"""Policies to compare with, from the simplest on: which waiting task starts on which device."""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple, Protocol

from pointsman.policy.order import virtual_deadline
from pointsman.time_machine.known_runs import KnownRuns
from pointsman.time_machine.traces import TracedTask


class Begin(NamedTuple):
    """A task begins on a device, with a load first where another model is there."""

    device: int
    task: TracedTask
    loads: bool


class Loading(NamedTuple):
    """A device loads a model; what runs first is decided when that ends."""

    device: int
    load_s: float
    others: tuple[int, ...] = ()
    """Further devices that the model takes; the run is told of the first one."""


class Discipline(Protocol):
    """A policy as the simulation asks it; times are seconds from the beginning of the trace."""

    def arrived(self, task: TracedTask, now: float) -> None:
        """A task waits."""
        ...

    def loaded(self, device: int, load_s: float, now: float) -> None:
        """A load that began by itself has ended."""
        ...

    def ended(self, device: int, task: TracedTask, now: float) -> None:
        """A run has ended, and a slot is free."""
        ...

    def begins(self, now: float) -> Iterator[Begin | Loading]:
        """What begins now; devices and tasks are taken as soon as they are told."""
        ...

    def next_look(self, now: float) -> float | None:
        """When to ask again although nothing happens."""
        ...

    @property
    def expired(self) -> int:
        """Tasks that were answered without a run: their deadline could not be met."""
        ...


class _Devices:
    """Free devices, least recently used first, and what each has loaded."""

    def __init__(self, count: int) -> None:
        self.free = dict.fromkeys(range(count))
        self.resident: list[str | None] = [None] * count

    def take(self, task: TracedTask, *, prefer: bool) -> Begin:
        """The free device used longest ago; with `prefer` one that has the model, if any."""
        device = next(iter(self.free))
        if prefer:
            having = (d for d in self.free if self.resident[d] == task.model)
            device = next(having, device)
        return self.occupy(device, task)

    def occupy(self, device: int, task: TracedTask) -> Begin:
        del self.free[device]
        loads = self.resident[device] != task.model
        self.resident[device] = task.model
        return Begin(device, task, loads)


class Fifo:
    """One queue in order of arrival, on the free device that was used longest ago.

    With `affinity` a free device that has the model is preferred.
    """

    expired = 0

    def __init__(self, devices: int, *, affinity: bool) -> None:
        self._devices = _Devices(devices)
        self._queue: deque[TracedTask] = deque()
        self._affinity = affinity

    def arrived(self, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        self._queue.append(task)

    def loaded(self, device: int, load_s: float, now: float) -> None:
        """Never happens here: a task is chosen before its load."""

    def ended(self, device: int, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        self._devices.free[device] = None

    def begins(self, now: float) -> Iterator[Begin]:  # noqa: ARG002 - as in the port
        while self._queue and self._devices.free:
            yield self._devices.take(self._queue.popleft(), prefer=self._affinity)

    def next_look(self, now: float) -> None:  # noqa: ARG002 - as in the port
        return None


class GreedyAffinity:
    """A free device serves its model as long as somebody waits for it, else who waits longest."""

    expired = 0

    def __init__(self, devices: int) -> None:
        self._devices = _Devices(devices)
        self._all: deque[TracedTask] = deque()
        self._by_model: dict[str, deque[TracedTask]] = {}
        self._begun: set[int] = set()

    def arrived(self, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        self._all.append(task)
        self._by_model.setdefault(task.model, deque()).append(task)

    def loaded(self, device: int, load_s: float, now: float) -> None:
        """Never happens here: a task is chosen before its load."""

    def ended(self, device: int, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        self._devices.free[device] = None

    def begins(self, now: float) -> Iterator[Begin]:  # noqa: ARG002 - as in the port
        for device in list(self._devices.free):
            resident = self._devices.resident[device]
            if resident is not None and self._by_model.get(resident):
                yield self._devices.occupy(device, self._next_of(resident))
        while self._devices.free and (task := self._oldest()) is not None:
            yield self._devices.take(self._next_of(task.model), prefer=True)

    def next_look(self, now: float) -> None:  # noqa: ARG002 - as in the port
        return None

    def _next_of(self, model: str) -> TracedTask:
        task = self._by_model[model].popleft()
        self._begun.add(task.number)
        return task

    def _oldest(self) -> TracedTask | None:
        while self._all and self._all[0].number in self._begun:
            self._begun.remove(self._all.popleft().number)
        return self._all[0] if self._all else None


class EarliestDeadline:
    """The smallest virtual deadline, on a free device that has the model if there is one.

    It knows of run times what our own policy knows: those that have ended.
    """

    expired = 0

    def __init__(self, devices: int) -> None:
        self._devices = _Devices(devices)
        self._queue: list[tuple[float, int, TracedTask]] = []
        self._known = KnownRuns()

    def arrived(self, task: TracedTask, now: float) -> None:
        p90_s = self._known.of(task.model).p90_s
        key = virtual_deadline(
            task.priority_class,
            arrival=now,
            boost_s=0.0,
            latest_start=None if task.deadline_s is None else task.deadline_s - p90_s,
        )
        heappush(self._queue, (key, task.number, task))

    def loaded(self, device: int, load_s: float, now: float) -> None:
        """Never happens here: a task is chosen before its load."""

    def ended(self, device: int, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        self._known.ended(task.model, task.service_s)
        self._devices.free[device] = None

    def begins(self, now: float) -> Iterator[Begin]:  # noqa: ARG002 - as in the port
        while self._queue and self._devices.free:
            yield self._devices.take(heappop(self._queue)[2], prefer=True)

    def next_look(self, now: float) -> None:  # noqa: ARG002 - as in the port
        return None


BASELINES: Final[dict[str, Callable[[int], Discipline]]] = {
    "fifo": lambda devices: Fifo(devices, affinity=False),
    "fifo-affinity": lambda devices: Fifo(devices, affinity=True),
    "greedy-affinity": GreedyAffinity,
    "edf": EarliestDeadline,
}
