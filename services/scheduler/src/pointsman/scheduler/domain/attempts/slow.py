"""Live attempts that may have to be hedged, and when they begin to take long."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from pointsman.policy.hedging import Usual, usual_wait
from pointsman.policy.run_times import RunTimes
from pointsman.scheduler.domain.fleet import Devices
from pointsman.scheduler.domain.policy import Policy
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.tasks import OpenTask


class SlowAttempts:
    """Looks at the attempts that hold slots; `tasks` are all that are open."""

    def __init__(
        self,
        tasks: Mapping[UUID, OpenTask],
        devices: Devices,
        models: Models,
        turnaround: RunTimes,
        policy: Policy,
    ) -> None:
        self._tasks = tasks
        self._devices = devices
        self._models = models
        self._turnaround = turnaround
        self._policy = policy

    def usual(self, variant: str) -> Usual | None:
        """How long an attempt with a variant usually takes; None: not known well enough."""
        return usual_wait(self._models.run_times_of(variant), self._turnaround)

    def due(self) -> Iterator[tuple[float, OpenTask]]:
        """When each attempt that may be hedged begins to take long; none with hedges off."""
        if not self._policy.parameters.hedge_share:
            return
        known: dict[str, Usual | None] = {}
        for device in self._devices.values():
            for task_id, _ in device.held:
                task = self._tasks[task_id]
                lease = task.lease
                if lease is None or not _may_be_hedged(task):
                    continue
                if lease.variant not in known:
                    known[lease.variant] = self.usual(lease.variant)
                usual = known[lease.variant]
                if usual is not None:
                    yield lease.granted_at + usual.wait_s, task

    def next_due(self, now: float) -> Iterator[float]:
        """When time alone may allow a hedge."""
        return (due for due, _ in self.due() if due > now)


def _may_be_hedged(task: OpenTask) -> bool:
    """Once, and neither in company nor after an attempt of it that ended badly.

    Whatever that came from, a second attempt would only bring it to another device.
    """
    return task.lease is not None and task.lease.batch is None and not (task.hedges or task.alone)
