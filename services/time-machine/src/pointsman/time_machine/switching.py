"""Our own policy in the simulation: the same code as in the scheduler, told what it may know.

Of a model it knows the load time before the first load, as the registry would say, and of runs what
has ended so far; the run time of a task that waits is never told.
"""

from collections.abc import Iterator, Sequence

from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.device_fit import Instance
from pointsman.policy.order import virtual_deadline
from pointsman.policy.parameters import DEFAULTS, Parameters
from pointsman.policy.queued_task import QueuedTask
from pointsman.time_machine.disciplines import Begin, Loading
from pointsman.time_machine.known_runs import KnownRuns
from pointsman.time_machine.traces import TracedTask


class Switching:
    """`pointsman.policy` over the tasks of a trace."""

    def __init__(
        self,
        devices: int,
        parameters: Parameters = DEFAULTS,
        slots: int = 1,
        memory_mib: Sequence[float] = (),
    ) -> None:
        self._pool = DedicatedPool(parameters=parameters)
        for device in range(devices):
            self._pool.attach(str(device), slots, memory_mib[device] if memory_mib else 0.0)
        self._windows = parameters.windows_by_class()
        self._max_boost_s = parameters.max_boost_s
        self._tasks: dict[int, TracedTask] = {}
        self._known = KnownRuns()
        self._look: float | None = None
        self.expired = 0

    def arrived(self, task: TracedTask, now: float) -> None:
        known = self._known.of(task.model)
        if task.model not in self._pool.classes:
            self._pool.register(
                task.model,
                load_s=task.load_s,
                p50_s=known.p50_s,
                p99_s=known.p99_s,
                takes=Instance(task.devices_per_instance, task.part_mib),
            )
        self._tasks[task.number] = task
        latest = None if task.deadline_s is None else task.deadline_s - known.p90_s
        waiting = QueuedTask(
            number=task.number,
            class_id=task.model,
            tenant=task.tenant,
            key=virtual_deadline(
                task.priority_class,
                arrival=now,
                boost_s=0.0,
                latest_start=latest,
                windows=self._windows,
                max_boost_s=self._max_boost_s,
            ),
            arrival=now,
            deadline=task.deadline_s,
        )
        self._pool.enqueue(waiting, now)

    def loaded(self, device: int, load_s: float, now: float) -> None:
        self._pool.loaded(str(device), load_s, now)

    def ended(self, device: int, task: TracedTask, now: float) -> None:
        self._known.ended(task.model, task.service_s)
        self._pool.ended(str(device), task.number, task.service_s, now)

    def begins(self, now: float) -> Iterator[Begin | Loading]:
        assigned = self._pool.assign(now)
        self._look = min((hold.until for hold in assigned.holds), default=None)
        self.expired += len(assigned.expired)
        for load in assigned.loads:
            device, *others = map(int, load.devices)
            yield Loading(device, self._tasks[load.task.number].load_s, tuple(others))
        for start in assigned.starts:
            yield Begin(int(start.device), self._tasks.pop(start.task.number), loads=False)
        for task in assigned.expired:
            del self._tasks[task.number]

    def next_look(self, now: float) -> float | None:
        return self._look if self._look is not None and self._look > now else None
