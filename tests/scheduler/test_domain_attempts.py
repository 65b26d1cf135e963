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
    TaskCompleted,
    TaskFailed,
)
from pointsman.contracts.leases import Outcome, RunCancelled, RunFailed, RunTimedOut
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.attempts import MAX_LOST, decide_report
from tests.support.one_slot import REFUSED, device, reported, running
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    RESULT,
    A,
    B,
    attached,
    granted_events,
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


def test_a_task_that_takes_its_device_down_each_time_fails_in_the_end() -> None:
    history = running()
    idle = DeviceResumed(at=NOON, applied_to=0, device="cpu-0", quiescent=True)
    for attempt in range(1, MAX_LOST):
        events = reported(history, attempt, GONE, at=NOON + attempt)
        assert [type(event) for event in events] == [AttemptLost]
        history.append(stream_id("device", "cpu-0"), idle)
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
