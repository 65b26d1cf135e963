"""The waiting tasks as one round of grants walks along them."""

from collections.abc import Collection
from uuid import UUID

from pointsman.policy.class_queue import ClassQueue
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.tasks import ClassId, OpenTask


class Line:
    """Who is next; what a round takes out of the queues is put back by `restore`.

    Granted tasks leave their queue when the grant is folded, not when it is decided.
    """

    def __init__(self, pool: Pool, at: float, gates: Gates, skip: Collection[UUID]) -> None:
        self._pool = pool
        self._at = at
        self._gates = gates
        self._skip = skip
        self._taken: list[OpenTask] = []
        self._granted: dict[str, int] = {}
        self._counters: dict[str, float] = {}
        self._tenants = frozenset(gates.tenants())
        self._barred = {name for name in self._tenants if gates.tenant_refused(name)}
        self.blocked: set[ClassId] = {
            class_id
            for class_id, _ in pool.waiting.queues()
            if not pool.waiting.classes.holders(class_id) or gates.class_refused(class_id)
        }
        """Classes of which nothing can start in this round."""

    def next(self) -> OpenTask | None:
        """The next task of the class that is due first; None if nothing can start any more."""
        while (found := self._due_first()) is not None:
            class_id, queue = found
            task = self._of_class(queue)
            if task is not None:
                return task
            self.blocked.add(class_id)
        return None

    def take(self, task: OpenTask) -> None:
        """A task is not looked at again in this round."""
        self._pool.waiting.queue_of(task.class_id).discard(task)
        self._taken.append(task)

    def granted(self, task: OpenTask, expected_s: float) -> None:
        """A task takes `expected_s` of a device, which its tenant pays for."""
        self.take(task)
        tenant, counters = task.tenant, self._pool.waiting.counters
        self._counters.setdefault(tenant, counters.of(tenant))
        counters.charge(tenant, expected_s)
        self._granted[tenant] = taken = self._granted.get(tenant, 0) + 1
        if tenant in self._tenants and self._gates.tenant_refused(tenant, taken):
            self._barred.add(tenant)

    def passed(self, task: OpenTask) -> list[OpenTask]:
        """Heads of classes that could not start although they are due before `task`."""
        queues = self._pool.waiting
        heads = [queues.queue_of(class_id).head() for class_id in self.blocked]
        mine = (task.key, task.position)
        earlier = [head for head in heads if head and (head.key, head.position) < mine]
        return sorted(earlier, key=lambda head: (head.key, head.position))

    def restore(self) -> None:
        """Leave the pool as it was found."""
        waiting = self._pool.waiting
        for task in self._taken:
            waiting.queue_of(task.class_id).put(task)
            if task.retry_at > self._at:
                # A clock has been set back since it was released.
                waiting.wake_for(task)
        for tenant, counter in self._counters.items():
            waiting.counters.restore(tenant, counter)

    def _due_first(self) -> tuple[ClassId, ClassQueue[OpenTask]] | None:
        best: tuple[ClassId, ClassQueue[OpenTask]] | None = None
        first: tuple[float, int] | None = None
        for class_id, queue in self._pool.waiting.queues():
            if class_id in self.blocked:
                continue
            head = queue.head()
            while head is not None and self._passes_over(head):
                self.take(head)
                head = queue.head()
            if head is not None and (first is None or (head.key, head.position) < first):
                best, first = (class_id, queue), (head.key, head.position)
        return best

    def _of_class(self, queue: ClassQueue[OpenTask]) -> OpenTask | None:
        counters = self._pool.waiting.counters
        while (task := queue.next(counters, self._at, self._barred)) is not None:
            # That the head passes was seen a moment ago.
            if task is queue.head() or not self._passes_over(task):
                return task
            self.take(task)
        return None

    def _passes_over(self, task: OpenTask) -> bool:
        return task.id in self._skip or self._gates.task_refused(task) is not None
