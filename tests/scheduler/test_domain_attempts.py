"""What follows from the end of an attempt, whoever reports it and however often."""

from uuid import UUID

import pytest

from pointsman.contracts.events import (
    AttemptFailed,
    AttemptLost,
    AttemptTimedOut,
    Decision,
    DeviceResumed,
    SlotReleased,
    TaskCheckpointed,
    TaskCompleted,
    TaskFailed,
)
from pointsman.contracts.leases import Outcome, RunCancelled, RunFailed, RunTimedOut
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.attempts.ends import MAX_LOST, decide_lost, decide_report
from tests.support.one_slot import REFUSED, device, reported, running
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    RESULT,
    A,
    B,
    accepted,
    attached,
    given,
    granted_events,
    model,
    report,
)

WRONG = RunFailed(code="bad_output", message="wrong shape", retryable=False)
GONE = RunFailed(code="unavailable", message="no answer", retryable=True, device_lost=True)


def test_a_completed_run_ends_the_task_and_frees_its_slot() -> None:
    history = running()

    (completed,) = reported(history, 1, COMPLETED, at=NOON + 2)

    assert completed == TaskCompleted(
        at=NOON + 2,
        applied_to=5,
        attempt=1,
        device="cpu-0",
        variant="fast",
        result=RESULT,
        queue_s=1.0,
        run_s=0.25,
        model_version="1",
    )
    assert A not in history.pool.tasks
    assert list(granted_events(history.round(NOON + 2))) == [B]


@pytest.mark.parametrize(
    ("outcome", "event"), [(REFUSED, AttemptFailed), (RunTimedOut(run_s=2.0), AttemptTimedOut)]
)
def test_a_failure_that_may_pass_is_tried_again_after_a_drawn_delay(
    outcome: Outcome, event: type[Decision]
) -> None:
    history = running()

    (ended,) = reported(history, 1, outcome, at=NOON + 2)

    assert isinstance(ended, event)
    assert isinstance(ended, AttemptFailed | AttemptTimedOut)
    assert (ended.retry_at, ended.draw) == (NOON + 2.25, 0.5)
    assert history.pool.queued == 2
    assert device(history).occupied == 0


def test_the_delay_doubles_with_each_attempt() -> None:
    history = running()
    reported(history, 1, REFUSED, at=NOON + 2)
    history.round(NOON + 3)

    (ended,) = reported(history, 2, REFUSED, at=NOON + 4)

    assert isinstance(ended, AttemptFailed)
    assert ended.retry_at == NOON + 4.5


@pytest.mark.parametrize("outcome", [REFUSED, RunTimedOut(run_s=2.0)])
def test_a_task_fails_with_its_last_attempt(outcome: Outcome) -> None:
    history = running(max_attempts=2)
    reported(history, 1, outcome, at=NOON + 2)
    history.round(NOON + 3)

    _, failed = reported(history, 2, outcome, at=NOON + 4)

    assert isinstance(failed, TaskFailed)
    assert failed.attempts == 2
    assert list(history.pool.tasks) == [B]
    assert history.pool.queued == 1


def test_what_will_not_pass_is_not_tried_again() -> None:
    history = running()

    _, failed = reported(history, 1, WRONG, at=NOON + 2)

    assert failed == TaskFailed(
        at=NOON + 2, applied_to=5, code="bad_output", message="wrong shape", attempts=1
    )


def test_a_lost_attempt_is_nobodys_failure() -> None:
    history = running(max_attempts=1)

    (lost,) = reported(history, 1, GONE, at=NOON + 2)

    assert isinstance(lost, AttemptLost)
    assert lost.reason == "device_unavailable"
    assert history.pool.queued == 2
    assert list(device(history).suspect) == [(A, 1)]
    assert history.round(NOON + 3) == []


def test_a_run_that_its_holder_gave_up_frees_its_slot_at_once() -> None:
    history = running(max_attempts=1)

    (lost,) = reported(history, 1, RunCancelled(), at=NOON + 2)

    assert isinstance(lost, AttemptLost)
    assert lost.reason == "executor_cancelled"
    assert device(history).occupied == 0
    assert list(granted_events(history.round(NOON + 3))) == [A]


def test_a_report_of_another_incarnation_changes_nothing() -> None:
    history = running()
    told = report(A, 1, COMPLETED, incarnation="before")

    assert decide_report(history.pool, told, at=NOON + 2, draw=0.5) is None


def test_a_lost_task_is_back_at_its_place_before_later_ones() -> None:
    history = running()
    reported(history, 1, GONE, at=NOON + 2)

    grants = granted_events(history.round(NOON + 1000))
    assert grants == {}

    assert list(granted_events(history.round(NOON + 1000))) == [A]


IDLE = DeviceResumed(at=NOON, applied_to=0, device="cpu-0", quiescent=True)


def test_a_task_whose_device_crashes_twice_on_it_alone_is_quarantined() -> None:
    history = running()
    (lost,) = reported(history, 1, GONE, at=NOON + 2)
    history.append(stream_id("device", "cpu-0"), IDLE)
    history.round(NOON + 3)

    again, failed = reported(history, 2, GONE, at=NOON + 4)

    assert isinstance(lost, AttemptLost)
    assert isinstance(again, AttemptLost)
    assert isinstance(failed, TaskFailed)
    assert (lost.only, again.only, failed.code) == (True, True, "quarantined")


def test_a_crash_while_others_ran_beside_it_says_nothing_about_a_task() -> None:
    history = given(model(), attached(slots=2), (A, accepted()), (B, accepted()))
    history.round(NOON + 1)

    for attempt in (1, 2, 3):
        (first,) = reported(history, attempt, GONE, at=NOON + attempt + 1)
        other = decide_report(history.pool, report(B, attempt, GONE), at=NOON + attempt, draw=0.5)
        assert other is not None
        assert history.record(other)
        (second,) = other.events
        assert isinstance(first, AttemptLost)
        assert isinstance(second, AttemptLost)
        assert (first.only, second.only) == (False, False)
        history.append(stream_id("device", "cpu-0"), IDLE)
        history.round(NOON + attempt + 1)


def test_a_task_that_gets_on_between_two_crashes_is_not_quarantined() -> None:
    history = running()
    reported(history, 1, GONE, at=NOON + 2)
    history.append(stream_id("device", "cpu-0"), IDLE)
    history.round(NOON + 3)
    checkpointed = TaskCheckpointed(
        at=NOON + 4, applied_to=0, attempt=2, sequence=1, variant="fast", checkpoint=RESULT
    )
    history.append(A, checkpointed)

    events = reported(history, 2, GONE, at=NOON + 5)

    assert [type(event) for event in events] == [AttemptLost]


def test_a_task_whose_executors_go_away_each_time_fails_in_the_end() -> None:
    history = running()
    for attempt in range(1, MAX_LOST):
        lost = decide_lost(history.pool, A, "lease_expired", at=NOON + attempt)
        assert lost is not None
        assert [type(event) for event in lost.events] == [AttemptLost]
        history.record(lost)
        history.append(stream_id("device", "cpu-0"), IDLE)
        history.round(NOON + attempt)

    lost, failed = reported(history, MAX_LOST, GONE, at=NOON + 60)

    assert isinstance(lost, AttemptLost)
    assert isinstance(failed, TaskFailed)
    assert (failed.code, failed.attempts) == ("lost_too_often", MAX_LOST)
    assert A not in history.pool.tasks


@pytest.mark.parametrize("first", [COMPLETED, WRONG, REFUSED])
def test_a_report_that_comes_again_changes_nothing(first: Outcome) -> None:
    history = running()
    reported(history, 1, first, at=NOON + 2)
    before = len(history.entries)

    for outcome in (first, COMPLETED, WRONG, GONE, RunCancelled()):
        assert reported(history, 1, outcome, at=NOON + 3) == []
    assert len(history.entries) == before


def test_a_report_of_an_attempt_that_is_over_does_not_touch_the_live_one() -> None:
    history = running()
    reported(history, 1, GONE, at=NOON + 2)
    history.append(stream_id("device", "cpu-0"), attached(slots=2))
    history.round(NOON + 3)

    (released,) = reported(history, 1, COMPLETED, at=NOON + 4)

    assert isinstance(released, SlotReleased)
    assert released.reason == "reported"
    task = history.pool.tasks[A]
    assert task.lease is not None
    assert task.lease.attempt == 2
    assert reported(history, 1, COMPLETED, at=NOON + 5) == []


def test_a_repeated_report_that_the_device_is_gone_does_not_free_the_slot() -> None:
    history = running()
    reported(history, 1, GONE, at=NOON + 2)

    assert reported(history, 1, GONE, at=NOON + 3) == []

    assert list(device(history).suspect) == [(A, 1)]


@pytest.mark.parametrize("attempt", [0, 2, 99])
def test_a_report_of_an_attempt_that_never_was_changes_nothing(attempt: int) -> None:
    assert reported(running(), attempt, COMPLETED, at=NOON + 2) == []


def test_a_report_of_an_unknown_task_or_device_changes_nothing() -> None:
    history = running()

    unknown = report(UUID(int=5), 1, device="gpu-9")

    assert decide_report(history.pool, unknown, at=NOON, draw=0.0) is None
