"""Limits of classes and tenants, and a pool that keeps them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.eligibility import Eligibility
from pointsman.policy.queued_task import QueuedTask


def pool_of(slots: int, *classes: str) -> DedicatedPool:
    """One device and classes that take a second to load."""
    pool = DedicatedPool()
    pool.eligible.counts = True
    pool.attach("d", slots)
    for class_id in classes:
        pool.register(class_id, load_s=1.0, p50_s=1.0, p99_s=2.0)
    return pool


def waits(pool: DedicatedPool, number: int, class_id: str, tenant: str = "acme") -> None:
    pool.enqueue(QueuedTask(number, class_id, tenant, 100.0 + number, 0.0, None), 0.0)


def started(pool: DedicatedPool, now: float) -> list[int]:
    return [start.task.number for start in pool.assign(now).starts]


def loaded(pool: DedicatedPool, now: float) -> None:
    assert pool.assign(now).loads
    pool.loaded("d", 1.0, now)


def test_of_a_limited_class_no_more_run_than_may_until_one_has_ended() -> None:
    pool = pool_of(4, "a")
    pool.eligible.classes.limit("a", 1)
    for number in range(3):
        waits(pool, number, "a")
    loaded(pool, 1.0)

    first, while_it_runs = started(pool, 1.0), started(pool, 1.5)
    pool.ended("d", 0, 1.0, 2.0)

    assert (first, while_it_runs, started(pool, 2.0)) == ([0], [], [1])


def test_nothing_is_loaded_for_a_class_of_which_nothing_may_run() -> None:
    pool = pool_of(1, "a", "b")
    pool.eligible.classes.limit("a", 0)
    waits(pool, 0, "a")

    while_limited = pool.assign(0.0)
    pool.eligible.classes.limit("a", None)

    assert (while_limited.loads, while_limited.starts) == ([], [])
    assert [load.task.number for load in pool.assign(1.0).loads] == [0]


def test_a_tenant_that_may_run_nothing_is_passed_over() -> None:
    pool = pool_of(2, "a")
    waits(pool, 0, "a", "acme")
    waits(pool, 1, "a", "initech")
    loaded(pool, 1.0)
    pool.eligible.tenants.limit("acme", 0)

    others = started(pool, 1.0)
    pool.eligible.tenants.limit("acme", None)

    assert (others, started(pool, 1.5)) == ([1], [0])


def test_what_a_lost_device_ran_counts_no_more() -> None:
    pool = pool_of(1, "a")
    pool.eligible.classes.limit("a", 1)
    waits(pool, 0, "a")
    loaded(pool, 1.0)
    assert started(pool, 1.0) == [0]

    pool.detach("d", 2.0)

    assert pool.eligible.admits("a", "acme")


def test_a_device_that_serves_no_more_is_kept_for_nothing() -> None:
    pool = pool_of(2, "a", "b")
    waits(pool, 0, "a")
    loaded(pool, 1.0)
    assert started(pool, 1.0) == [0]
    waits(pool, 1, "b")
    assert pool.assign(90.0).drains

    pool.serve("d", serves=False)
    pool.ended("d", 0, 1.0, 91.0)

    assert pool.assign(91.0).loads == []


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("limit"), st.sampled_from("ab"), st.none() | st.integers(0, 3)),
            st.tuples(st.just("start"), st.sampled_from("ab"), st.none()),
            st.tuples(st.just("end"), st.sampled_from("ab"), st.none()),
        ),
        max_size=40,
    )
)
def test_it_admits_exactly_what_its_limits_leave(
    steps: list[tuple[str, str, int | None]],
) -> None:
    eligible = Eligibility()
    eligible.counts = True
    limits: dict[str, int | None] = {}
    running = {"a": 0, "b": 0}

    for what, name, most in steps:
        if what == "limit":
            limits[name] = most
            eligible.classes.limit(name, most)
        elif what == "start" and eligible.admits(name, "acme"):
            running[name] += 1
            eligible.started(name, "acme")
        elif what == "end" and running[name]:
            running[name] -= 1
            eligible.ended(name, "acme")

    for name, runs in running.items():
        limit = limits.get(name)
        assert eligible.admits(name, "acme") is (limit is None or runs < limit)


@pytest.mark.parametrize("most", [None, 1])
def test_that_something_may_begin_again_is_told_once(most: int | None) -> None:
    eligible = Eligibility()
    eligible.tenants.limit("acme", 0)

    eligible.tenants.limit("acme", most)

    assert (eligible.has_reopened(), eligible.has_reopened()) == (True, False)
