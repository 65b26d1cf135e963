"""Deadlines: what can no longer be met is ended, not started."""

from uuid import UUID

import pytest

from pointsman.contracts.events import (
    TaskAccepted,
    TaskExpired,
    TaskGranted,
)
from pointsman.contracts.message import PriorityClass
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.rounds.granting import decide_round
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    A,
    B,
    History,
    accepted,
    attached,
    given,
    granted_events,
    model,
    submission,
)

FAST, BEST = model("fast", quality=0.5, service_s=0.1), model("best", quality=0.9, service_s=1.0)
LABEL = model("label", family="classify", quality=0.7)


def expiries(history: History, at: float) -> dict[UUID, TaskExpired]:
    return {
        item.stream: event
        for item in decide_round(history.pool, at=at)
        for event in item.events
        if isinstance(event, TaskExpired)
    }


def test_a_variant_that_would_finish_too_late_is_passed_over_for_a_faster_one() -> None:
    history = given(
        FAST,
        BEST,
        attached("gpu-0", variants=("best",)),
        attached("cpu-0", variants=("fast",)),
        (A, accepted(variants=("best", "fast"), deadline=NOON + 0.5)),
    )

    (grant,) = granted_events(history.round(NOON)).values()

    assert grant.variant == "fast"
    assert grant.run_timeout_s == 0.5
    (other,) = grant.explanation.others
    assert other.refused == "would finish after the deadline"


def test_a_deadline_that_no_variant_can_meet_ends_the_task_instead_of_starting_it() -> None:
    history = given(FAST, attached(), (A, accepted(deadline=NOON + 0.05)), (B, accepted()))

    decided = history.round(NOON)

    assert list(granted_events(decided)) == [B]
    (expired,) = (item.events[0] for item in decided if item.stream == A)
    assert isinstance(expired, TaskExpired)
    assert "no admissible variant" in expired.reason
    assert expired.needed_s == 0.1


@pytest.mark.parametrize("slots_free", [True, False])
def test_a_deadline_that_passes_ends_a_waiting_task(*, slots_free: bool) -> None:
    devices = [attached()] if slots_free else []
    history = given(FAST, *devices, (A, accepted(deadline=NOON + 10)))

    assert expiries(history, NOON + 9.5) == {}
    assert expiries(history, NOON + 10)[A].reason == "the deadline has passed"


def test_an_expiry_that_was_not_recorded_is_decided_again() -> None:
    history = given(FAST, (A, accepted(deadline=NOON + 10)))

    assert list(expiries(history, NOON + 10)) == [A]
    assert list(expiries(history, NOON + 10.25)) == [A]

    history.round(NOON + 10.5)
    assert history.round(NOON + 11) == []
    assert history.pool.next_due(NOON + 11) is None


def test_an_expired_task_makes_room_for_the_next_in_the_same_round() -> None:
    history = given(
        FAST,
        attached(),
        (A, accepted(key=NOON + 1, deadline=NOON + 10)),
        (B, accepted(key=NOON + 2)),
    )

    decided = history.round(NOON + 20)

    assert [type(item.events[0]) for item in decided] == [TaskExpired, TaskGranted]
    assert history.pool.queued == 0


def test_a_new_registry_entry_counts_even_if_the_old_one_was_used_before() -> None:
    history = given(FAST, attached(), (A, accepted(deadline=NOON + 5)))
    decide_round(history.pool, at=NOON)
    slower = model("fast", service_s=9.0)

    history.append(UUID(int=99), slower)

    assert list(expiries(history, NOON)) == [A]


def test_a_batch_does_not_overtake_by_inventing_a_deadline() -> None:
    history = given(FAST, attached())
    batch = submission(priority_class=PriorityClass.BATCH, deadline=NOON + 5)
    urgent = submission(priority_class=PriorityClass.INTERACTIVE)
    for task, asked in ((A, batch), (B, urgent)):
        decided = decide_submit(history.pool, asked, PAYLOAD, at=NOON)
        assert isinstance(decided, TaskAccepted)
        history.append(task, decided)

    keys = {task: history.pool.tasks[task].accepted.key for task in (A, B)}
    assert keys == {A: NOON + 30, B: NOON + 1}
    assert list(granted_events(history.round(NOON))) == [B]
