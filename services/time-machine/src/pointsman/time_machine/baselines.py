"""Policies to compare with, from the simplest on."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pointsman.policy.eligibility import Eligibility
from pointsman.policy.order import virtual_deadline
from pointsman.time_machine.disciplines import Begin, Discipline
from pointsman.time_machine.known_runs import KnownRuns
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.waiting_line import WaitingLine


class _Devices:
    """Free devices, least recently used first, and what each has loaded and runs."""

    def __init__(self, count: int) -> None:
        self.free = dict.fromkeys(range(count))
        self.resident: list[str | None] = [None] * count
        self.runs: dict[int, TracedTask] = {}
        self._serves_none: set[int] = set()

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
        self.runs[device] = task
        return Begin(device, task, loads)

    def ended(self, device: int) -> None:
        del self.runs[device]
        if device not in self._serves_none:
            self.free[device] = None

    def serve(self, device: int, *, serves: bool) -> None:
        if not serves:
            self._serves_none.add(device)
            self.free.pop(device, None)
        elif device in self._serves_none:
            self._serves_none.remove(device)
            if device not in self.runs:
                self.free[device] = None

    def lose(self, device: int) -> TracedTask | None:
        """What ran there."""
        self.serve(device, serves=False)
        self.resident[device] = None
        return self.runs.pop(device, None)


class _Baseline:
    """One queue and devices with one model and one slot; tenants have no weights here."""

    expired = 0

    def __init__(self, devices: int) -> None:
        self.eligible: Final = Eligibility()
        self._devices = _Devices(devices)
        self._line = WaitingLine(self.eligible)

    def arrived(self, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        self._line.put(task)

    def loaded(self, device: int, load_s: float, now: float) -> None:
        """Never happens here: a task is chosen before its load."""

    def ended(self, device: int, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        self.eligible.ended(task.model, task.tenant)
        self._devices.ended(device)

    def next_look(self, now: float) -> None:  # noqa: ARG002 - as in the port
        return None

    def weigh(self, tenant: str, weight: float) -> None:
        """Tenants are all the same here."""

    def withdrawn(self, task: TracedTask, now: float) -> bool:  # noqa: ARG002 - as in the port
        return self._line.discard(task)

    def serve(self, device: int, *, serves: bool) -> None:
        self._devices.serve(device, serves=serves)

    def lose(self, device: int, now: float) -> Sequence[int]:  # noqa: ARG002 - as in the port
        task = self._devices.lose(device)
        if task is not None:
            self.eligible.ended(task.model, task.tenant)
        return (device,)

    def _occupied(self, device: int, task: TracedTask) -> Begin:
        self.eligible.started(task.model, task.tenant)
        return self._devices.occupy(device, task)

    def _taken(self, task: TracedTask, *, prefer: bool) -> Begin:
        self.eligible.started(task.model, task.tenant)
        return self._devices.take(task, prefer=prefer)


class Fifo(_Baseline):
    """One queue in order of arrival, on the free device that was used longest ago.

    With `affinity` a free device that has the model is preferred.
    """

    def __init__(self, devices: int, *, affinity: bool) -> None:
        super().__init__(devices)
        self._affinity = affinity

    def begins(self, now: float) -> Iterator[Begin]:  # noqa: ARG002 - as in the port
        while self._devices.free and (task := self._line.take()) is not None:
            yield self._taken(task, prefer=self._affinity)


class GreedyAffinity(_Baseline):
    """A free device serves its model as long as somebody waits for it, else who waits longest."""

    def __init__(self, devices: int) -> None:
        super().__init__(devices)
        self._by_model: dict[str, WaitingLine] = {}
        self._begun: set[int] = set()
        """Numbers of tasks that still stand in the line of all."""

    def arrived(self, task: TracedTask, now: float) -> None:
        if task.number in self._begun:
            self._begun.remove(task.number)
        else:
            super().arrived(task, now)
        if task.model not in self._by_model:
            self._by_model[task.model] = WaitingLine(self.eligible)
        self._by_model[task.model].put(task)

    def withdrawn(self, task: TracedTask, now: float) -> bool:
        line = self._by_model.get(task.model)
        if line is None or not line.discard(task):
            return False
        if not line:
            del self._by_model[task.model]
        return super().withdrawn(task, now)

    def begins(self, now: float) -> Iterator[Begin]:  # noqa: ARG002 - as in the port
        for device in list(self._devices.free):
            model = self._devices.resident[device]
            if model in self._by_model and (task := self._next_of(model)) is not None:
                self._begun.add(task.number)
                yield self._occupied(device, task)
        while self._devices.free and (task := self._oldest()) is not None:
            self._next_of(task.model)
            yield self._taken(task, prefer=True)

    def _next_of(self, model: str) -> TracedTask | None:
        line = self._by_model[model]
        task = line.take()
        if not line:
            # Most devices that are looked at have a model that nobody waits for.
            del self._by_model[model]
        return task

    def _oldest(self) -> TracedTask | None:
        while (task := self._line.take()) is not None:
            if task.number not in self._begun:
                return task
            self._begun.remove(task.number)
        return None


class EarliestDeadline(_Baseline):
    """The smallest virtual deadline, on a free device that has the model if there is one.

    It knows of run times what our own policy knows: those that have ended.
    """

    def __init__(self, devices: int, known: KnownRuns) -> None:
        super().__init__(devices)
        self._known = known

    def arrived(self, task: TracedTask, now: float) -> None:  # noqa: ARG002 - as in the port
        p90_s = self._known.of(task.model).p90_s
        key = virtual_deadline(
            task.priority_class,
            arrival=task.arrival_s,
            boost_s=0.0,
            latest_start=None if task.deadline_s is None else task.deadline_s - p90_s,
        )
        self._line.put(task, key)

    def ended(self, device: int, task: TracedTask, now: float) -> None:
        self._known.ended(task.model, task.service_s)
        super().ended(device, task, now)

    def begins(self, now: float) -> Iterator[Begin]:  # noqa: ARG002 - as in the port
        while self._devices.free and (task := self._line.take()) is not None:
            yield self._taken(task, prefer=True)


BASELINES: Final[dict[str, Callable[[int, KnownRuns], Discipline]]] = {
    "fifo": lambda devices, _: Fifo(devices, affinity=False),
    "fifo-affinity": lambda devices, _: Fifo(devices, affinity=True),
    "greedy-affinity": lambda devices, _: GreedyAffinity(devices),
    "edf": EarliestDeadline,
}
