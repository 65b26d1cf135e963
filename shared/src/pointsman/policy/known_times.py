"""What is known of loads and runs of all classes together."""

from pointsman.policy.class_choice import Fleet
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.lateness import is_too_late
from pointsman.policy.parameters import Parameters
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.run_times import RunTimes


class KnownTimes:
    """Times of every class, and what a choice compares with."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._of: dict[str, ClassTimes] = {}
        self._runs = RunTimes(prior_p50_s=0.0, prior_p99_s=0.0)
        self.mean_load_s = 0.0
        """Of all classes that are known."""
        self._least_load_s = 0.0
        self._fleet: Fleet | None = None

    def __getitem__(self, class_id: str) -> ClassTimes:
        return self._of[class_id]

    def register(self, class_id: str, *, load_s: float, p50_s: float, p99_s: float) -> ClassTimes:
        """What is expected of a class."""
        times = self._of[class_id] = ClassTimes(load_s=load_s, p50_s=p50_s, p99_s=p99_s)
        if not self._runs.runs:
            longest_s = max(each.runs.p99_s for each in self._of.values())
            self._runs.expect(prior_p50_s=p50_s, prior_p99_s=longest_s)
        self._compare_loads()
        return times

    def loaded(self, class_id: str, load_s: float) -> None:
        """A load has ended."""
        self._of[class_id].loaded(load_s)
        self._compare_loads()

    def ran(self, class_id: str, run_s: float) -> None:
        """A run has ended."""
        self._of[class_id].ran(run_s)
        self._runs.add(run_s)

    def fleet(self, devices: int) -> Fleet:
        """What a choice needs to know with so many devices."""
        fleet, run_p99_s = self._fleet, self._runs.p99_s
        # Asked for every decision; another run seldom moves the p99 of a window.
        if fleet is None or fleet.run_p99_s != run_p99_s or fleet.devices != devices:
            fleet = self._fleet = Fleet(
                devices, self.mean_load_s, self._least_load_s, run_p99_s, self._parameters
            )
        return fleet

    def is_too_late(self, task: QueuedTask, load_s: float, now: float) -> bool:
        """Whether a task cannot meet its deadline after a load of so many seconds."""
        if task.deadline is None:
            return False
        runs = self._of[task.class_id].runs
        run_s = runs.p99_s if task.strict else runs.p50_s
        return is_too_late(task.deadline, now=now, load_s=load_s, run_s=run_s)

    def _compare_loads(self) -> None:
        loads = [times.load_s for times in self._of.values()]
        self.mean_load_s = sum(loads) / len(loads)
        self._least_load_s = min(loads)
        self._fleet = None
