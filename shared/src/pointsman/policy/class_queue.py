"""The waiting tasks of one class: by tenant, and inside a tenant by virtual deadline."""

from typing import Final

from pointsman.policy.class_times import ClassTimes
from pointsman.policy.hold import Hold
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.ranking import Ranking
from pointsman.policy.tenant_counters import TenantCounters

LEAST_GAP_S: Final = 60.0
"""Device-seconds by which a tenant may be ahead and have its late task served all the same."""


class ClassQueue:
    """Who waits for one class, and since when the class waits for a device."""

    __slots__ = ("_count", "_heads", "_numbers", "_of_tenant", "class_id", "hold", "times")

    def __init__(self, class_id: str, times: ClassTimes) -> None:
        self.class_id = class_id
        self.times = times
        self.hold: Hold | None = None
        """The first time that a device was held back for what comes next here."""
        self._count = 0
        self._of_tenant: dict[str, Ranking[QueuedTask]] = {}
        self._heads: Ranking[str] = Ranking()
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def backlog_s(self) -> float:
        """Expected run time of all that waits."""
        return self._count * self.times.mean_s

    @property
    def gap_s(self) -> float:
        """How far ahead a tenant may be and still have a late task served first."""
        return max(LEAST_GAP_S, self.times.longest_s)

    def put(self, task: QueuedTask) -> bool:
        """Add a task; whether it is the head of its tenant now."""
        tenant = task.tenant
        mine = self._of_tenant.get(tenant)
        if mine is None:
            mine = self._of_tenant[tenant] = Ranking()
        mine.put(task, task.key, task.number)
        self._count += 1
        return self._rank(tenant, mine) if mine.first_item() is task else False

    def discard(self, task: QueuedTask) -> bool:
        """Remove a task that is here; whether it was the head of its tenant."""
        mine = self._of_tenant[task.tenant]
        was_first = mine.first_item() is task
        mine.discard(task)
        self._count -= 1
        return self._rank(task.tenant, mine) if was_first else False

    def head(self) -> QueuedTask | None:
        """The task that is due first, whoever's it is."""
        tenant = self._heads.first_item()
        return None if tenant is None else self._of_tenant[tenant].first_item()

    def next(self, counters: TenantCounters, now: float) -> QueuedTask | None:
        """The task that starts next: of the tenant that had least, unless a late one may pass.

        A late head passes only if its own tenant is not more than the gap ahead.
        """
        heads = self._heads
        for _, _, least in counters.backlogged:
            if least in heads:
                break
        else:
            return None
        limit = counters.of(least) + self.gap_s
        for key, _, tenant in heads:
            if key > now:
                break
            if counters.of(tenant) <= limit:
                return self._of_tenant[tenant].first_item()
        return self._of_tenant[least].first_item()

    def _rank(self, tenant: str, mine: Ranking[QueuedTask]) -> bool:
        first = mine.first()
        if first is None:
            del self._of_tenant[tenant]
            self._heads.discard(tenant)
        else:
            number = self._numbers.setdefault(tenant, len(self._numbers))
            self._heads.put(tenant, first[0], number)
        return True
