"""A device that has one model at a time and runs one task at a time."""

from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.swap_credit import SwapCredit


class DedicatedDevice:
    """What decisions know of one device; times are seconds since the epoch."""

    __slots__ = ("credit", "expected_s", "name", "resident", "running", "runs_from", "used_at")

    def __init__(self, name: str) -> None:
        self.name = name
        self.resident: str | None = None
        """The class whose model is loaded, or is being loaded."""
        self.running: QueuedTask | None = None
        """The task that it runs, or loads for."""
        self.expected_s = 0.0
        """What its tenant was charged for the run."""
        self.runs_from = 0.0
        """When the running task began, or will, once the load is over."""
        self.used_at = float("-inf")
        """When it last became free."""
        self.credit = SwapCredit()

    @property
    def idle(self) -> bool:
        """Whether it can take a task."""
        return self.running is None
