"""Who had least comes next, and nobody saves up a claim while he asks for nothing."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.tenant_counters import TenantCounters


def waiting(*tenants: str, weights: dict[str, float] | None = None) -> TenantCounters:
    counters = TenantCounters(weights or {})
    for tenant in tenants:
        counters.arrived(tenant)
    return counters


def order(counters: TenantCounters) -> list[str]:
    return [tenant for _, _, tenant in counters.backlogged]


def test_the_tenant_that_had_least_comes_first() -> None:
    counters = waiting("a", "b", "c")

    counters.charge("a", 10.0)
    counters.charge("b", 5.0)

    assert order(counters) == ["c", "b", "a"]


def test_a_tenant_of_twice_the_weight_has_had_half_as_much() -> None:
    counters = waiting("a", "b", weights={"a": 2.0})

    counters.charge("a", 10.0)
    counters.charge("b", 6.0)

    assert order(counters) == ["a", "b"]


def test_a_newcomer_is_lifted_to_the_smallest_of_those_who_wait() -> None:
    counters = waiting("a", "b")
    counters.charge("a", 100.0)
    counters.charge("b", 70.0)

    counters.arrived("late")

    assert counters.of("late") == 70.0


def test_a_newcomer_to_an_empty_queue_is_lifted_to_who_waited_last() -> None:
    counters = waiting("a")
    counters.charge("a", 100.0)
    counters.left("a")

    counters.arrived("b")

    assert counters.of("b") == 100.0


def test_one_that_had_more_than_the_others_is_not_set_back() -> None:
    counters = waiting("a", "b")
    counters.charge("a", 100.0)
    counters.left("a")

    counters.arrived("a")

    assert counters.of("a") == 100.0


def test_a_corrected_estimate_changes_the_order_back() -> None:
    counters = waiting("a", "b")
    counters.charge("a", 100.0)

    counters.charge("b", 1.0)
    counters.charge("a", -99.5)

    assert order(counters) == ["a", "b"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(("arrived", "left", "charge"))),
        max_size=60,
    )
)
def test_the_order_is_that_of_a_plain_sort_and_a_counter_never_falls_below_the_lift(
    steps: list[tuple[str, str]],
) -> None:
    counters, tasks = TenantCounters(), dict.fromkeys("abcd", 0)
    for tenant, what in steps:
        backlogged = [counters.of(name) for name, waits in tasks.items() if waits]
        if what == "arrived":
            newly = tasks[tenant] == 0
            tasks[tenant] += 1
            counters.arrived(tenant)
            assert not newly or not backlogged or counters.of(tenant) >= min(backlogged)
        elif what == "left" and tasks[tenant]:
            tasks[tenant] -= 1
            counters.left(tenant)
        elif what == "charge":
            counters.charge(tenant, 3.0)

        expected = sorted(counters.of(name) for name, waits in tasks.items() if waits)
        assert [counter for counter, _, _ in counters.backlogged] == expected
