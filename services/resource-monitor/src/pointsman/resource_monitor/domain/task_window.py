"""Recent lives of a pool's tasks: how long they took, how they ended, and who still waits.

Kept in memory only: after a restart the open tasks come from the view, and a window of a minute
fills itself again. Times are those of the log's records.
"""

from typing import Final

from pointsman.contracts.task_states import TaskState
from pointsman.resource_monitor.domain.alert_rules import (
    ERROR_RATE,
    RULE_OF,
    TASK_LATENCY,
    AlertRule,
)

TIMED_CLASSES: Final = frozenset({"interactive", "standard"})
"""Nobody waits for the others."""
MAX_OPEN: Final = 250_000
"""Of each kind; of more, the newest are not timed: the oldest tell how long the wait is."""

_PERCENTILE: Final = 0.95


def timed_class(priority_class: str, *, sleeps: bool) -> str:
    """The class that a task is timed as; one that waits for a time or for others is not timed.

    How long it takes from its acceptance on says nothing about the pool.
    """
    return "" if sleeps else priority_class


class TaskWindow:
    """One pool. Tasks are named by the integer of their id."""

    def __init__(
        self, latency: AlertRule = RULE_OF[TASK_LATENCY], errors: AlertRule = RULE_OF[ERROR_RATE]
    ) -> None:
        self._latency = latency
        self._errors = errors
        # In order of acceptance, so the first is the oldest.
        self._timed: dict[int, float] = {}
        self._untimed: set[int] = set()
        self._latencies: dict[int, list[float]] = {}
        self._ended: dict[int, int] = {}
        self._failed: dict[int, int] = {}
        self._completed_at = 0.0

    def accepted(self, task: int, priority_class: str, at: float) -> None:
        if priority_class in TIMED_CLASSES:
            if len(self._timed) < MAX_OPEN:
                self._timed[task] = at
        elif len(self._untimed) < MAX_OPEN:
            self._untimed.add(task)

    def ended(self, task: int, state: TaskState, at: float) -> bool:
        """False: the task is none of this pool's open ones."""
        accepted_at = self._timed.pop(task, None)
        second = int(at)
        if accepted_at is None:
            if task not in self._untimed:
                return False
            self._untimed.discard(task)
        elif state is TaskState.COMPLETED:
            self._completed_at = max(self._completed_at, at)
            self._latencies.setdefault(second, []).append(at - accepted_at)
        self._ended[second] = self._ended.get(second, 0) + 1
        if state is TaskState.FAILED:
            self._failed[second] = self._failed.get(second, 0) + 1
        return True

    def p95_s(self, now: float) -> float | None:
        """Acceptance to completion; None below the least number of tasks."""
        _forget(self._latencies, now - self._latency.window_s)
        found: list[float] = []
        for slot in self._latencies.values():
            # A slot of the past is sorted already, which makes both sorts nearly free.
            slot.sort()
            found += slot
        found.sort()
        if len(found) < self._latency.least:
            return None
        return found[int(_PERCENTILE * (len(found) - 1))]

    def stall_s(self, now: float) -> float:
        """How long timed tasks have been open without one of them being completed."""
        oldest = next(iter(self._timed.values()), None)
        return 0.0 if oldest is None else max(0.0, now - max(oldest, self._completed_at))

    def latency_s(self, now: float) -> float:
        """What the latency alert watches.

        A pool that completes nothing has no percentile, so the stall counts as well; without
        enough tasks it counts alone.
        """
        return max(self.p95_s(now) or 0.0, self.stall_s(now))

    def ended_count(self, now: float) -> int:
        """Tasks that ended in the window of the error rate."""
        _forget(self._ended, now - self._errors.window_s)
        return sum(self._ended.values())

    def error_rate(self, now: float) -> float | None:
        """Failed over ended; expired, shed, cancelled and abandoned tasks are no errors.

        None below the least number of tasks, unless none of them failed: then it is zero, so that
        an alert does not outlive its cause in a pool that has become quiet.
        """
        ended = self.ended_count(now)
        _forget(self._failed, now - self._errors.window_s)
        failed = sum(self._failed.values())
        if failed == 0:
            return 0.0
        return failed / ended if ended >= self._errors.least else None


def _forget(slots: dict[int, list[float]] | dict[int, int], before: float) -> None:
    """Slots are whole seconds; one that ended before the window is not in it."""
    for second in [second for second in slots if second + 1 <= before]:
        del slots[second]
