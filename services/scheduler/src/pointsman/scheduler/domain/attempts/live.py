"""Attempts that hold a lease, and what they leave behind.

    granted -- task.hedged --> granted, two leases -- task.completed (of either) --> completed
                                    | task.attempt_dropped (of either)
                                    v
                               granted, one lease

A task is hedged once at the most. Whichever attempt is left holds the task's lease. A hedge that
ends does not count as a try, and one that is lost not as a loss.
"""

from collections.abc import Callable, Mapping

from pointsman.contracts import events
from pointsman.contracts.events import AttemptEnd, Decision
from pointsman.contracts.events.attempt_ends import DEADLINE_EXCEEDED, EXECUTOR_CANCELLED
from pointsman.policy.hedging import HedgeBudget
from pointsman.policy.run_times import RunTimes
from pointsman.scheduler.domain.admission.grounds import Grounds
from pointsman.scheduler.domain.devices import Slot
from pointsman.scheduler.domain.fleet import Devices
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.tasks import CALL_ENDED, LiveLease, OpenTask
from pointsman.scheduler.domain.waiting import Waiting


class LiveAttempts:
    """What attempts take of devices, are charged for and teach about run times."""

    def __init__(
        self, devices: Devices, models: Models, waiting: Waiting, grounds: Grounds
    ) -> None:
        self.turnaround = RunTimes(prior_p50_s=0.0, prior_p99_s=0.0)
        """How much longer than its run a slot is taken: grant, receipt, report and commit."""
        self.hedges = HedgeBudget()
        self._devices = devices
        self._models = models
        self._counters = waiting.counters
        self._grounds = grounds

    @property
    def of_tasks(self) -> Mapping[type[Decision], Callable[..., None]]:
        """Changes of an open task that stays granted, by what brings them."""
        return {events.TaskHedged: self._hedged, events.AttemptDropped: self._dropped}

    def granted(self, task: OpenTask, version: int, event: events.TaskGranted) -> None:
        """A task that waited has an attempt."""
        task.take(event, version)
        task.attempts, task.retry_at = event.attempt, 0.0
        expected_s = self._models.run_times_of(event.variant).p50_s
        if event.batch is not None:
            expected_s /= event.batch.size
        task.lease = self._leased(task, event, expected_s)

    def completed(self, task: OpenTask, event: events.TaskCompleted) -> None:
        """An attempt has a result, which ends the task; of another the call may go on."""
        lease = task.lease_of(event.attempt)
        if lease is None or not lease.device:
            return
        self._devices.free(event.device, (task.id, event.attempt))
        self._ran(task, lease, event.run_s, event.at)
        self._grounds.completed(task, lease, event)
        self.turnaround.add(max(0.0, event.at - lease.granted_at - event.run_s))
        self.left_behind(task, besides=event.attempt)

    def ended(
        self, task: OpenTask, version: int, event: events.AttemptFailed | events.AttemptTimedOut
    ) -> None:
        """The only attempt has ended without a result."""
        if isinstance(event, events.AttemptTimedOut) and task.lease is not None and event.device:
            self._ran(task, task.lease, event.run_s or event.run_timeout_s, event.at)
            task.timed_out += not event.code
        task.take(event, version)
        task.lease, task.alone = None, True
        task.retry_at = event.retry_at
        self._devices.free(event.device, (task.id, event.attempt))

    def lost(self, task: OpenTask, version: int, event: events.AttemptLost) -> None:
        """Nobody will report the only attempt."""
        lease = task.lease
        if event.code == DEADLINE_EXCEEDED and lease is not None:
            self._ran(task, lease, lease.run_timeout_s, event.at)
        task.take(event, version)
        task.lease = None
        self._gone(task, lease, event.device, event.attempt, event.reason, only=event.only)

    def left_behind(self, task: OpenTask, besides: int = 0) -> None:
        """A task has ended; the calls of its other attempts may not have."""
        for lease in task.leases:
            if lease.attempt != besides:
                self._devices.suspect(lease.device, (task.id, lease.attempt))

    def _hedged(self, task: OpenTask, version: int, event: events.TaskHedged) -> None:
        task.take(event, version)
        task.attempts, task.hedges = event.attempt, task.hedges + 1
        self.hedges.spend()
        task.hedge = self._leased(task, event, self._models.run_times_of(event.variant).p50_s)

    def _dropped(self, task: OpenTask, version: int, event: events.AttemptDropped) -> None:
        task.take(event, version)
        lease = task.drop(event.attempt)
        if event.end is AttemptEnd.LOST:
            self._gone(task, lease, event.device, event.attempt, event.code, only=event.only)
            return
        task.alone = True
        if event.end is AttemptEnd.TIMED_OUT and lease is not None:
            self._ran(task, lease, event.run_s or event.run_timeout_s, event.at)
            task.timed_out += not event.code
        self._devices.free(event.device, (task.id, event.attempt))

    def _leased(
        self, task: OpenTask, event: events.TaskGranted | events.TaskHedged, expected_s: float
    ) -> LiveLease:
        self._counters.charge(task.tenant, expected_s)
        lease = LiveLease.of(event, expected_s, task.checkpoint_for(event.variant))
        batch = lease.batch.id if lease.batch is not None else ""
        free_at = event.at + event.run_timeout_s
        slot = Slot(event.variant, free_at, batch, event.at, task.tenant)
        self._devices[event.device].occupy((task.id, event.attempt), slot)
        return lease

    def _ran(self, task: OpenTask, lease: LiveLease, run_s: float, at: float) -> None:
        """A call has ended after `run_s`; each of a batch gets its share."""
        share_s = run_s if lease.batch is None else run_s / lease.batch.size
        if lease.checkpoint is None:
            self._models.ran(lease.variant, run_s, size=lease.counts_for(task.id))
        self._counters.charge(task.tenant, share_s - lease.charged_s)
        device = self._devices.get(lease.device)
        if device is not None:
            device.credit.earn(share_s)
            device.used_at = at

    def _gone(
        self,
        task: OpenTask,
        lease: LiveLease | None,
        device: str,
        attempt: int,
        reason: str,
        *,
        only: bool,
    ) -> None:
        task.alone = task.alone or reason != EXECUTOR_CANCELLED
        # A hedge is no try in the first place.
        task.lost += lease is None or not lease.hedge
        task.crashes += only
        if reason in CALL_ENDED:
            self._devices.free(device, (task.id, attempt))
            return
        task.taken_down += 1
        self._devices.suspect(device, (task.id, attempt))
