"""Inside a class: the tenant that had least, unless a late task may pass."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.class_queue import LEAST_GAP_S, ClassQueue
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.tenant_counters import TenantCounters

TENANTS: Final = "abcd"


def task(number: int, tenant: str, key: float) -> QueuedTask:
    return QueuedTask(number=number, class_id="x", tenant=tenant, key=key, arrival=0.0)


def queue_of(*tasks: QueuedTask) -> tuple[ClassQueue[QueuedTask], TenantCounters]:
    queue = ClassQueue[QueuedTask]("x", ClassTimes(load_s=1.0, p50_s=10.0, p99_s=20.0), ("x",))
    counters = TenantCounters()
    for one in tasks:
        queue.put(one)
        counters.arrived(one.tenant)
    return queue, counters


def test_the_tenant_that_had_least_is_served_although_another_is_due_earlier() -> None:
    mine, theirs = task(1, "a", 10.0), task(2, "b", 20.0)
    queue, counters = queue_of(mine, theirs)
    counters.charge("a", 1.0)

    assert queue.head() is mine
    assert queue.next(counters, now=5.0) is theirs


def test_a_late_task_passes_while_its_tenant_is_not_further_ahead_than_the_gap() -> None:
    late, other = task(1, "a", 10.0), task(2, "b", 20.0)
    queue, counters = queue_of(late, other)

    counters.charge("a", LEAST_GAP_S)
    within = queue.next(counters, now=10.0)
    counters.charge("a", 1.0)
    beyond = queue.next(counters, now=10.0)

    assert within is late
    assert beyond is other


def test_the_gap_grows_with_the_longest_run() -> None:
    queue, _ = queue_of()

    queue.times.ran(500.0)

    assert queue.gap_s == 500.0


def test_an_empty_queue_has_no_head_and_nothing_next() -> None:
    queue, counters = queue_of()

    assert not queue
    assert queue.head() is None
    assert queue.next(counters, now=0.0) is None


@given(
    tasks=st.lists(st.tuples(st.sampled_from(TENANTS), st.integers(0, 50)), max_size=20),
    gone=st.sets(st.integers(0, 19)),
    charged=st.lists(st.integers(0, 200), min_size=4, max_size=4),
    now=st.integers(0, 60).map(float),
)
def test_head_and_next_are_what_a_plain_list_gives(
    tasks: list[tuple[str, int]], gone: set[int], charged: list[int], now: float
) -> None:
    listed = [task(number, tenant, float(key)) for number, (tenant, key) in enumerate(tasks)]
    queue, counters = queue_of(*listed)
    for one in listed:
        if one.number in gone:
            queue.discard(one)
            counters.left(one.tenant)
    listed = [one for one in listed if one.number not in gone]
    for tenant, seconds in zip(TENANTS, charged, strict=True):
        # A little apart, so that no two tie.
        counters.charge(tenant, seconds + TENANTS.index(tenant) / 8)

    first = {
        tenant: min((o for o in listed if o.tenant == tenant), key=lambda o: (o.key, o.number))
        for tenant in {one.tenant for one in listed}
    }
    assert len(queue) == len(listed)
    head = queue.head()
    assert (head is None) is (not listed)
    if head is not None:
        assert head.key == min(one.key for one in listed)
    if first:
        least = min(counters.of(tenant) for tenant in first)
        passing = [
            one.key
            for tenant, one in first.items()
            if one.key <= now and counters.of(tenant) <= least + queue.gap_s
        ]
        chosen = queue.next(counters, now)
        assert chosen is not None
        assert chosen is first[chosen.tenant]
        if passing:
            assert chosen.key == min(passing)
        else:
            assert counters.of(chosen.tenant) == least
