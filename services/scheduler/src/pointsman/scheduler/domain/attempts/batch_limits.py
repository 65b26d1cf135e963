"""Batches that were too large for the memory of a device, and how large they may be now."""

from pointsman.contracts.events import (
    AttemptLost,
    Decision,
    DeviceAttached,
    DeviceResumed,
    ResidencyChanged,
)
from pointsman.contracts.events.attempt_ends import BATCH_FAILED, OUT_OF_MEMORY
from pointsman.scheduler.domain.tasks import OpenTask


class BatchLimits(dict[tuple[str, str], int]):
    """Tasks that a call may carry at the most, by device and variant, where one ran out of memory.

    Half of what was too large, until the engine or the model is loaded anew. Those that were in the
    batch run alone next, like those of every batch that failed.
    """

    def follow(self, task: OpenTask, event: Decision) -> None:
        """An event of a task is about to change it."""
        lease = task.lease
        if not isinstance(event, AttemptLost) or lease is None or lease.batch is None:
            return
        # Every member of the batch tells it; they say the same.
        if event.reason == BATCH_FAILED and event.code == OUT_OF_MEMORY:
            id_ = lease.device, lease.variant
            half = max(1, lease.batch.size // 2)
            self[id_] = min(self.get(id_, half), half)

    def renewed(self, event: Decision) -> None:
        """An event of a device: what begins anew has all of its memory."""
        match event:
            case DeviceAttached(device=device, quiescent=True):
                fresh = [id_ for id_ in self if id_[0] == device]
            case DeviceResumed(device=device, quiescent=True):
                fresh = [id_ for id_ in self if id_[0] == device]
            case ResidencyChanged(device=device, loaded=loaded) if loaded:
                fresh = [id_ for id_ in self if id_ == (device, loaded)]
            case _:
                return
        for id_ in fresh:
            del self[id_]
