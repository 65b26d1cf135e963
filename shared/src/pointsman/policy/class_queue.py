"""The waiting tasks of one class: by tenant, and inside a tenant by virtual deadline."""

from collections.abc import Collection, Iterator
from typing import Final, Generic, TypeVar

from pointsman.policy.class_times import ClassTimes
from pointsman.policy.hold import Hold
from pointsman.policy.queued_task import ClassId, Waiting
from pointsman.policy.ranking import Ranking
from pointsman.policy.tenant_counters import TenantCounters

LEAST_GAP_S: Final = 60.0
"""Device-seconds by which a tenant may be ahead and have its late task served all the same."""


TaskT = TypeVar("TaskT", bound=Waiting)


class ClassQueue(Generic[TaskT]):
    """Who waits for one class."""

    __slots__ = (
        *("_count", "_first", "_heads", "_least_gap_s", "_of_tenant"),
        *("class_id", "hold", "times", "variants"),
    )

    def __init__(
        self,
        class_id: ClassId,
        times: ClassTimes,
        variants: tuple[str, ...],
        least_gap_s: float = LEAST_GAP_S,
    ) -> None:
        self.class_id = class_id
        self.times = times
        """Of the variant that the class prefers."""
        self.variants = variants
        """Those that may serve it, best first."""
        self.hold: Hold | None = None
        """The first time that a device was held back for what comes next here."""
        self._least_gap_s = least_gap_s
        self._count = 0
        self._of_tenant: dict[str, Ranking[TaskT]] = {}
        self._heads: Ranking[str] = Ranking()
        self._first: TaskT | None = None

    def __len__(self) -> int:
        return self._count

    def tune(self, least_gap_s: float) -> None:
        """Allow tenants to be so far ahead from now on."""
        self._least_gap_s = least_gap_s

    @property
    def backlog_s(self) -> float:
        """Expected run time of all that waits."""
        return self._count * self.times.mean_s

    @property
    def gap_s(self) -> float:
        """How far ahead a tenant may be and still have a late task served first."""
        return max(self._least_gap_s, self.times.longest_s)

    def put(self, task: TaskT) -> bool:
        """Add a task; whether it is the head of its tenant now."""
        tenant = task.tenant
        mine = self._of_tenant.get(tenant)
        if mine is None:
            mine = self._of_tenant[tenant] = Ranking()
        mine.put(task, task.key, task.number)
        self._count += 1
        return self._rank(tenant, mine) if mine.first_item() is task else False

    def discard(self, task: TaskT) -> bool:
        """Remove a task that is here; whether it was the head of its tenant."""
        mine = self._of_tenant[task.tenant]
        was_first = mine.first_item() is task
        mine.discard(task)
        self._count -= 1
        return self._rank(task.tenant, mine) if was_first else False

    def head(self) -> TaskT | None:
        """The task that is due first, whoever's it is."""
        if self._first is None:
            tenant = self._heads.first_item()
            self._first = None if tenant is None else self._of_tenant[tenant].first_item()
        return self._first

    def __iter__(self) -> Iterator[TaskT]:
        """All that wait, tenant by tenant, in the order of their keys there."""
        for mine in self._of_tenant.values():
            yield from (task for _, _, task in mine)

    def __contains__(self, task: TaskT) -> bool:
        mine = self._of_tenant.get(task.tenant)
        return mine is not None and task in mine

    def next(
        self, counters: TenantCounters, now: float, barred: Collection[str] = ()
    ) -> TaskT | None:
        """The task that starts next: of the tenant that had least, unless a late one may pass.

        A late head passes only if its own tenant is not more than the gap ahead. Nothing of the
        tenants in `barred` starts.
        """
        heads = self._heads
        if len(heads) == 1:
            tenant = heads.first_item()
            return None if tenant is None or tenant in barred else self._first_of(tenant)
        for _, _, least in counters.backlogged:
            if least in heads and least not in barred:
                break
        else:
            return None
        had_s = counters.all
        limit = counters.of(least) + self.gap_s
        for tenant in heads.items_to(now):
            if had_s.get(tenant, 0.0) <= limit and tenant not in barred:
                return self._first_of(tenant)
        return self._first_of(least)

    def _first_of(self, tenant: str) -> TaskT | None:
        return self._of_tenant[tenant].first_item()

    def _rank(self, tenant: str, mine: Ranking[TaskT]) -> bool:
        first = mine.first()
        self._first = None
        if first is None:
            del self._of_tenant[tenant]
            self._heads.discard(tenant)
        else:
            self._heads.put(tenant, first[0], first[1])
        return True
