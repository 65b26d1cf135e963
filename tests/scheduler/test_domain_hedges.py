"""A second attempt runs beside a slow one, on a slot that nobody wants; the first result counts."""

import pytest

from pointsman.contracts.events import (
    PolicySet,
    PoolPaused,
    PoolResumed,
    ScopeKind,
)
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import TaskState
from pointsman.policy.parameters import Parameters
from tests.support.hedging import (
    LATE,
    USUAL_S,
    ends,
    experienced,
    hedge_of,
    hedged,
    hedged_events,
    policy_set,
    slots,
    slow,
)
from tests.support.scheduling import (
    NOON,
    A,
    B,
    accepted,
    attached,
    granted_events,
)


def paused(kind: ScopeKind, name: str) -> PoolPaused:
    return PoolPaused(
        at=NOON, applied_to=0, by="cli:ada", reason="why", pool="main", kind=kind, name=name
    )


def resumed(kind: ScopeKind, name: str) -> PoolResumed:
    return PoolResumed(
        at=NOON, applied_to=0, by="cli:ada", reason="why", pool="main", kind=kind, name=name
    )


def test_a_slow_attempt_gets_company_on_another_device() -> None:
    history = hedged()

    event = hedge_of(history)

    assert (event.attempt, event.beside, event.variant) == (2, 1, "fast")
    assert {event.device, history.pool.tasks[A].leases[0].device} == {"cpu-0", "cpu-1"}
    assert (event.usual_s, event.runs) == (USUAL_S, 64)
    assert event.waited_s == 1.0
    assert history.pool.tasks[A].state is TaskState.GRANTED
    assert slots(history) == {"cpu-0": (1, 0), "cpu-1": (1, 0)}


def test_time_alone_leads_to_a_hedge_and_not_before_it_is_due() -> None:
    history = slow(experienced())

    due = NOON + USUAL_S

    assert history.pool.next_due(NOON) == due
    assert hedged_events(history.round(due - 0.001)) == {}
    assert list(hedged_events(history.round(due))) == [A]
    assert history.pool.next_due(due) is None


@pytest.mark.parametrize("policy", [None, policy_set(Parameters(swap_share=0.1))])
def test_nothing_is_hedged_unless_the_policy_says_so(policy: PolicySet | None) -> None:
    history = slow(experienced(hedges=policy))

    assert history.round(LATE) == []
    assert history.pool.next_due(NOON) is None


def test_a_task_that_waits_for_the_slot_comes_first() -> None:
    history = slow(experienced())
    history.append(stream_id("pool", "main"), paused(ScopeKind.TENANT, "zeta"))
    history.append(B, accepted(tenant="zeta"))

    assert history.round(LATE) == []

    history.append(stream_id("pool", "main"), resumed(ScopeKind.TENANT, "zeta"))

    assert list(granted_events(history.round(LATE + 1))) == [B]


def test_few_runs_say_nothing_about_what_is_usual() -> None:
    history = experienced(tasks=60)

    assert slow(history).round(LATE) == []


def test_a_pool_hedges_no_more_than_its_share() -> None:
    history = hedged(experienced(tasks=70))
    ends(history, 2)

    slow(history, B)

    assert history.round(LATE + 10) == []
    assert history.pool.attempts.hedges.allowance < 1


def test_a_task_is_hedged_once() -> None:
    history = hedged(experienced(*(attached(f"cpu-{n}") for n in range(4)), tasks=150))

    assert history.round(LATE + 5) == []


@pytest.mark.parametrize("kind", [ScopeKind.TENANT, ScopeKind.MODEL, ScopeKind.FAMILY])
def test_what_is_paused_is_not_hedged(kind: ScopeKind) -> None:
    names = {ScopeKind.TENANT: "acme", ScopeKind.MODEL: "fast", ScopeKind.FAMILY: "summarize"}
    history = slow(experienced())

    history.append(stream_id("pool", "main"), paused(kind, names[kind]))

    assert history.round(LATE) == []
