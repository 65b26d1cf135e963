"""The waiting tasks of one class: by tenant, and inside a tenant by virtual deadline."""

from collections.abc import Collection, Iterator
from typing import Final, Generic, TypeVar

from pointsman.policy.class_times import ClassTimes
from pointsman.policy.hold import Hold
from pointsman.policy.queued_task import ClassId, Waiting
from pointsman.policy.ranking import Ranking
from pointsman.policy.sorted_blocks import SortedBlocks
from pointsman.policy.tenant_counters import TenantCounters

LEAST_GAP_S: Final = 60.0
"""Device-seconds by which a tenant may be ahead and have its late task served all the same."""


TaskT = TypeVar("TaskT", bound=Waiting)


class ClassQueue(Generic[TaskT]):
    """Who waits for one class."""

    __slots__ = (
        *("_first", "_heads", "_least_gap_s", "_of_tenant"),
        *("class_id", "count", "hold", "times", "variants"),
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
        self.count = 0
        """As `len`; read for every decision, where a call more is felt."""
        self._least_gap_s = least_gap_s
        # By the key that each task had when it was put; it must have it still when it leaves.
        self._of_tenant: dict[str, SortedBlocks[TaskT]] = {}
        self._heads: Ranking[str] = Ranking()
        self._first: TaskT | None = None

    def __len__(self) -> int:
        return self.count

    def count_of(self, tenant: str) -> int:
        """Tasks of one tenant; counted anew, so for what is asked seldom."""
        return sum(1 for _ in self._of_tenant.get(tenant, ()))

    def tune(self, least_gap_s: float) -> None:
        """Allow tenants to be so far ahead from now on."""
        self._least_gap_s = least_gap_s

    @property
    def backlog_s(self) -> float:
        """Expected run time of all that waits."""
        return self.count * self.times.mean_s

    @property
    def gap_s(self) -> float:
        """How far ahead a tenant may be and still have a late task served first."""
        return max(self._least_gap_s, self.times.longest_s)

    def put(self, task: TaskT) -> bool:
        """Add a task; whether it is the head of its tenant now."""
        tenant = task.tenant
        mine = self._of_tenant.get(tenant)
        if mine is None:
            mine = self._of_tenant[tenant] = SortedBlocks()
        self.count += 1
        key = task.key
        if not mine.put(task, key):
            return False
        self._heads.put(tenant, key, task.number)
        self._first = None
        return True

    def discard(self, task: TaskT, key: float | None = None) -> bool:
        """Remove a task that is here; whether it was the head of its tenant.

        `key` is the one that it was put with, where it has another by now.
        """
        tenant = task.tenant
        mine = self._of_tenant[tenant]
        was_first = mine.remove(task, task.key if key is None else key)
        self.count -= 1
        if not was_first:
            return False
        self._first = None
        first = mine.first()
        if first is None:
            del self._of_tenant[tenant]
            self._heads.discard(tenant)
        else:
            self._heads.put(tenant, first.key, first.number)
        return True

    def head(self) -> TaskT | None:
        """The task that is due first, whoever's it is."""
        if self._first is None:
            tenant = self._heads.first_item()
            self._first = None if tenant is None else self._of_tenant[tenant].first()
        return self._first

    def __iter__(self) -> Iterator[TaskT]:
        """All that wait, tenant by tenant, in the order of their keys there."""
        for mine in self._of_tenant.values():
            yield from mine

    def __contains__(self, task: TaskT) -> bool:
        mine = self._of_tenant.get(task.tenant)
        return mine is not None and mine.has(task, task.key)

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
            return None if tenant is None or tenant in barred else self.head()
        for least in counters.backlogged.items():
            if least in heads and least not in barred:
                break
        else:
            return None
        had_s = counters.all
        limit = had_s.get(least, 0.0) + self.gap_s
        late = heads.first_within(now, had_s, limit, barred)
        return self._of_tenant[least if late is None else late].first()
