"""Rounds: what is granted, in which order, where, and what is not."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from pointsman.contracts.events import (
    Decision,
    DeviceDetached,
    DeviceSuspended,
    TaskGranted,
)
from pointsman.contracts.leases import RunTimedOut
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.rounds.granting import ROUND_LIMIT, decide_round
from tests.support.scheduling import (
    NOON,
    A,
    B,
    C,
    History,
    accepted,
    attached,
    given,
    granted_events,
    model,
    report,
    suspended,
)

FAST, BEST = model("fast", quality=0.5, service_s=0.1), model("best", quality=0.9, service_s=1.0)
LABEL = model("label", family="classify", quality=0.7)


def test_an_idle_pool_decides_nothing() -> None:
    assert decide_round(given(FAST, attached()).pool, at=NOON) == []


def test_a_task_is_granted_to_a_device_that_has_its_variant() -> None:
    history = given(FAST, attached(), (A, accepted()))

    (decided,) = history.round(NOON + 2)

    (grant,) = decided.events
    assert isinstance(grant, TaskGranted)
    assert (decided.stream, decided.after, decided.tenant) == (A, 1, "acme")
    assert (grant.attempt, grant.device, grant.variant) == (1, "cpu-0", "fast")
    assert (grant.executor, grant.incarnation) == ("executor-1", "first")
    assert (grant.at, grant.applied_to, grant.round) == (NOON + 2, 3, 0)


def test_grants_come_in_the_order_of_their_keys_and_then_of_arrival() -> None:
    history = given(
        FAST,
        attached(slots=2),
        (A, accepted(key=NOON + 5)),
        (B, accepted(key=NOON + 3)),
        (C, accepted(key=NOON + 3)),
    )

    assert list(granted_events(history.round(NOON))) == [B, C]


@pytest.mark.parametrize("slots", [1, 3, 7])
def test_no_more_is_granted_than_there_are_slots(slots: int) -> None:
    tasks = [(UUID(int=n), accepted()) for n in range(1, 11)]
    history = given(FAST, attached(slots=slots), *tasks)

    assert len(history.round(NOON)) == slots
    assert history.round(NOON + 1) == []
    assert history.pool.queued == 10 - slots


def test_a_variant_takes_no_more_than_its_own_slots_whatever_the_device_has() -> None:
    device = attached(slots=3, variants=("fast", "label"))
    tasks = [(UUID(int=n), accepted()) for n in range(1, 6)]
    history = given(FAST, LABEL, device, *tasks)
    loaded = history.pool.devices["cpu-0"]
    loaded.slots_of["fast"] = 2

    assert len(granted_events(history.round(NOON))) == 2


def test_a_class_that_finds_no_slot_does_not_hold_up_the_others() -> None:
    history = given(
        FAST,
        LABEL,
        attached(variants=("label",)),
        (A, accepted(key=NOON + 1)),
        (B, accepted(key=NOON + 9, family="classify", variants=("label",))),
    )

    (grant,) = granted_events(history.round(NOON)).values()

    assert grant.variant == "label"
    assert grant.explanation.passed == (str(A),)
    assert grant.explanation.rank == 2
    assert grant.explanation.queued == 2


@pytest.mark.parametrize(
    "event",
    [
        suspended("cpu-0"),
        DeviceDetached(at=NOON, applied_to=0, device="cpu-0", reason="does not answer"),
    ],
    ids=["suspended", "detached"],
)
def test_nothing_is_granted_to_a_device_that_does_not_serve(event: Decision) -> None:
    history = given(FAST, attached("cpu-0"), attached("cpu-1"), event)
    history.append(A, accepted())
    history.append(B, accepted())

    grants = granted_events(history.round(NOON))

    assert [grant.device for grant in grants.values()] == ["cpu-1"]
    told = {other.device: other.refused for other in grants[A].explanation.others}
    # A suspended device is an alternative that may come back, a detached one is none.
    assert told == ({"cpu-0": "device is suspended"} if isinstance(event, DeviceSuspended) else {})


def best_and_fast(*events: Decision | tuple[UUID, Decision]) -> History:
    return given(
        FAST,
        BEST,
        attached("gpu-0", variants=("best",)),
        attached("cpu-0", variants=("fast",)),
        *events,
    )


def test_a_smaller_variant_is_not_taken_before_the_task_is_due() -> None:
    both = ("best", "fast")
    history = best_and_fast(
        (A, accepted(variants=both, key=NOON + 9)), (B, accepted(variants=both, key=NOON + 10))
    )

    (first,) = granted_events(history.round(NOON)).values()

    assert first.variant == "best"
    assert history.pool.next_due(NOON) == NOON + 10
    assert granted_events(history.round(NOON + 9.9)) == {}


def test_a_task_that_is_due_takes_the_best_variant_that_is_free() -> None:
    both = ("best", "fast")
    history = best_and_fast(
        (A, accepted(variants=both, key=NOON + 9)), (B, accepted(variants=both, key=NOON + 10))
    )
    history.round(NOON)

    (second,) = granted_events(history.round(NOON + 10)).values()

    assert second.variant == "fast"
    refusals = {c.variant: c.refused for c in second.explanation.others}
    assert refusals == {"best": "no free slot"}


def test_nobody_waits_for_a_variant_that_no_ready_device_serves() -> None:
    task = accepted(variants=("best", "fast"), key=NOON + 9)
    history = best_and_fast(suspended("gpu-0"), (A, task))

    (grant,) = granted_events(history.round(NOON)).values()

    assert grant.variant == "fast"


def test_a_round_is_bounded_and_the_rest_follows() -> None:
    tasks = [(UUID(int=n), accepted()) for n in range(1, ROUND_LIMIT + 11)]
    history = given(FAST, attached(slots=1000), *tasks)

    assert len(history.round(NOON)) == ROUND_LIMIT
    assert len(history.round(NOON)) == 10


def test_a_decision_that_was_not_recorded_leaves_everything_in_place() -> None:
    history = given(FAST, attached(slots=2), (A, accepted()), (B, accepted()), (C, accepted()))

    first = decide_round(history.pool, at=NOON)

    assert decide_round(history.pool, at=NOON) == first
    assert len(history.pool.devices["cpu-0"].held) == 0


def test_every_grant_of_a_round_is_numbered_and_stands_on_the_same_state() -> None:
    history = given(FAST, attached(slots=3), (A, accepted()), (B, accepted()), (C, accepted()))

    grants = list(granted_events(history.round(NOON)).values())

    assert [grant.round for grant in grants] == [0, 1, 2]
    assert {(grant.at, grant.applied_to) for grant in grants} == {(NOON, 5)}
    assert [grant.explanation.queued for grant in grants] == [3, 2, 1]


def test_a_grant_explains_the_place_of_its_task() -> None:
    history = given(
        FAST,
        attached(),
        (A, accepted(key=NOON + 10, deadline=NOON + 10.4)),
    )

    (grant,) = granted_events(history.round(NOON + 2)).values()

    parts = grant.explanation.components
    assert (parts.base_s, parts.boost_s, parts.floor_s, parts.age_s) == (30, 0, 1, 2)
    assert parts.deadline_s == 20
    assert grant.explanation.config


def test_measured_run_times_replace_the_registry_in_a_later_grant() -> None:
    history = given(FAST, attached(slots=10), *((UUID(int=n), accepted()) for n in range(1, 7)))
    history.round(NOON)
    for n in range(1, 6):
        told = report(UUID(int=n), 1)
        decided = decide_report(history.pool, told, at=NOON + 1, draw=0.0)
        assert decided is not None
        assert history.record(decided)
    history.append(A, accepted())

    (grant,) = granted_events(history.round(NOON + 2)).values()

    assert grant.explanation.chosen.expected_s == 0.25
    assert grant.run_timeout_s == 300.0


@pytest.mark.parametrize(
    ("band", "timeout_s"), [("simple", 60.0), ("medium", 150.0), ("complex", 300.0), ("", 300.0)]
)
def test_the_complexity_band_bounds_a_run(band: str, timeout_s: float) -> None:
    history = given(FAST, attached(), (A, replace(accepted(), band=band)))

    (grant,) = granted_events(history.round(NOON)).values()

    assert grant.run_timeout_s == timeout_s


def test_a_task_that_timed_out_gets_the_longest_timeout_next() -> None:
    history = given(FAST, attached(slots=100), *((UUID(int=n), accepted()) for n in range(1, 66)))
    history.round(NOON)
    for n in range(1, 65):
        decided = decide_report(history.pool, report(UUID(int=n), 1), at=NOON + 1, draw=0.0)
        assert decided is not None
        assert history.record(decided)
    history.append(A, accepted())
    (first,) = granted_events(history.round(NOON + 2)).values()
    late = decide_report(history.pool, report(A, 1, RunTimedOut(run_s=15.0)), at=NOON + 17, draw=0)
    assert late is not None
    assert history.record(late)

    (second,) = granted_events(history.round(NOON + 18)).values()

    assert (first.run_timeout_s, second.run_timeout_s) == (15.0, 300.0)


def test_a_retry_waits_for_its_time_at_its_old_place() -> None:
    history = given(FAST, attached(), (A, accepted(key=NOON + 1)), (B, accepted(key=NOON + 2)))
    history.round(NOON)
    timed_out = decide_report(
        history.pool, report(A, 1, RunTimedOut(run_s=2.0)), at=NOON + 10, draw=0.5
    )
    assert timed_out is not None
    assert history.record(timed_out)

    assert list(granted_events(decide_round(history.pool, at=NOON + 10))) == [B]
    assert history.pool.next_due(NOON + 10) == NOON + 10.25
    assert list(granted_events(decide_round(history.pool, at=NOON + 10.25))) == [A]


def test_a_slot_too_slow_for_the_first_task_goes_to_the_next_of_its_class() -> None:
    both = ("best", "fast")
    history = given(
        FAST,
        BEST,
        attached("gpu-0", variants=("best",)),
        (A, accepted(variants=both, key=NOON, deadline=NOON + 0.5)),
        (B, accepted(variants=both, key=NOON + 1)),
    )

    assert list(granted_events(history.round(NOON))) == [B]
    assert history.pool.tasks[A].lease is None
