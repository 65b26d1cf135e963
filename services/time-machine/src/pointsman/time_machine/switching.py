"""Our own policy in the simulation: the same code as in the scheduler, told what it may know.

Of a model it knows the load time before the first load, as the registry would say, and of runs what
has ended so far; the run time of a task that waits is never told.
"""

from collections.abc import Iterator, Sequence

from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.device_fit import Instance
from pointsman.policy.eligibility import Eligibility
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
        known: KnownRuns | None = None,
    ) -> None:
        self._pool = DedicatedPool(parameters=parameters)
        self._slots = slots
        self._memory_mib = memory_mib or (0.0,) * devices
        for device in range(devices):
            self._pool.attach(str(device), slots, self._memory_mib[device])
        self._windows = parameters.windows_by_class()
        self._max_boost_s = parameters.max_boost_s
        self._tasks: dict[int, TracedTask] = {}
        self._known = known or KnownRuns()
        self._look: float | None = None
        self.expired = 0

    def arrived(self, task: TracedTask, now: float) -> None:
        known = self._known.of(task.model)
        if task.model not in self._pool.classes:
            told = self._known.expected.get(task.model)
            self._pool.register(
                task.model,
                load_s=task.load_s if told is None else told.load_s,
                p50_s=known.p50_s,
                p99_s=known.p99_s,
                takes=Instance(
                    task.devices_per_instance, task.part_mib, 0 if told is None else told.slots
                ),
            )
        self._tasks[task.number] = task
        latest = None if task.deadline_s is None else task.deadline_s - known.p90_s
        waiting = QueuedTask(
            number=task.number,
            class_id=task.model,
            tenant=task.tenant,
            key=virtual_deadline(
                task.priority_class,
                arrival=task.arrival_s,
                boost_s=0.0,
                latest_start=latest,
                windows=self._windows,
                max_boost_s=self._max_boost_s,
            ),
            arrival=task.arrival_s,
            deadline=task.deadline_s,
        )
        self._pool.enqueue(waiting, now)

    def loaded(self, device: int, load_s: float, now: float) -> None:
        self._pool.loaded(str(device), load_s, now)

    def ended(self, device: int, task: TracedTask, now: float) -> None:
        self._known.ended(task.model, task.service_s)
        self._pool.ended(str(device), task.number, task.service_s, now)

    @property
    def eligible(self) -> Eligibility:
        return self._pool.eligible

    def weigh(self, tenant: str, weight: float) -> None:
        self._pool.counters.weigh(tenant, weight)

    def withdrawn(self, task: TracedTask, now: float) -> bool:
        return self._pool.cancel(task.number, now) is not None

    def serve(self, device: int, *, serves: bool) -> None:
        name = str(device)
        if name in self._pool.devices:
            self._pool.serve(name, serves=serves)
        elif serves:
            self._pool.attach(name, self._slots, self._memory_mib[device])

    def lose(self, device: int, now: float) -> Sequence[int]:
        lost = self._pool.devices.get(str(device))
        if lost is None:
            return ()
        first = lost.follows or lost
        self._pool.detach(lost.name, now)
        return (int(first.name),)

    def begins(self, now: float) -> Iterator[Begin | Loading]:
        assigned = self._pool.assign(now)
        self._look = min((hold.until for hold in assigned.holds), default=None)
        self.expired += len(assigned.expired)
        for load in assigned.loads:
            device, *others = map(int, load.devices)
            task = self._tasks[load.task.number]
            if task.model in self._known.expected:
                self._takes_as_long(load.devices[0], now + task.load_s)
            yield Loading(device, task.load_s, tuple(others))
        for start in assigned.starts:
            yield Begin(int(start.device), self._tasks.pop(start.task.number), loads=False)
        for task in assigned.expired:
            del self._tasks[task.number]

    def _takes_as_long(self, device: str, until: float) -> None:
        """What was expected of a load decides; while it goes on its real end is known.

        An engine tells that of no load, but what is late is not taken for something that runs.
        """
        loading = self._pool.devices[device]
        loading.loads_until = until
        self._pool.holders.note(loading)

    def next_look(self, now: float) -> float | None:
        return self._look if self._look is not None and self._look > now else None
