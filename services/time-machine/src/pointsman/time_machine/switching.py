"""Our own policy in the simulation: the same code as in the scheduler, told what it may know.

Of a model it knows the load time before the first load, as the registry would say, and of runs what
has ended so far; the run time of a task that waits is never told.
"""

from collections.abc import Iterator
from typing import Final

from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.order import virtual_deadline
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.run_times import RunTimes
from pointsman.time_machine.disciplines import Begin
from pointsman.time_machine.traces import TracedTask

P50_S: Final = 20.0
P99_S: Final = 100.0
"""What is expected of the first runs of all, when nothing has ended yet."""


class Switching:
    """`pointsman.policy` over the tasks of a trace."""

    def __init__(self, devices: int) -> None:
        self._pool = DedicatedPool()
        for device in range(devices):
            self._pool.attach(str(device))
        self._tasks: dict[int, TracedTask] = {}
        self._runs = RunTimes(prior_p50_s=P50_S, prior_p99_s=P99_S)
        self._look: float | None = None
        self.expired = 0

    def arrived(self, task: TracedTask, now: float) -> None:
        if task.model not in self._pool.classes:
            # Of a model that never ran the runs of the others are the best guess.
            p50_s, p99_s = self._runs.p50_s, self._runs.p99_s
            self._pool.register(task.model, load_s=task.load_s, p50_s=p50_s, p99_s=p99_s)
        self._tasks[task.number] = task
        times = self._pool.classes[task.model].times
        latest = None if task.deadline_s is None else task.deadline_s - times.runs.p90_s
        key = virtual_deadline(task.priority_class, arrival=now, boost_s=0.0, latest_start=latest)
        waiting = QueuedTask(
            number=task.number,
            class_id=task.model,
            tenant=task.tenant,
            key=key,
            arrival=now,
            deadline=task.deadline_s,
        )
        self._pool.enqueue(waiting, now)

    def loaded(self, device: int, load_s: float, now: float) -> None:
        self._pool.loaded(str(device), load_s, now)

    def ended(self, device: int, run_s: float, now: float) -> None:
        self._runs.add(run_s)
        self._pool.ended(str(device), run_s, now)

    def begins(self, now: float) -> Iterator[Begin]:
        assigned = self._pool.assign(now)
        self._look = min((hold.until for hold in assigned.holds), default=None)
        self.expired += len(assigned.expired)
        for task in assigned.expired:
            del self._tasks[task.number]
        for start in assigned.starts:
            task = self._tasks.pop(start.task.number)
            yield Begin(int(start.device), task, start.choice.swaps)

    def next_look(self, now: float) -> float | None:
        return self._look if self._look is not None and self._look > now else None
