"""What operators ask of one task, and what becomes of it."""

import pytest

from pointsman.contracts import events
from pointsman.contracts.commands import CancelTask
from pointsman.contracts.events import TaskCompleted, TaskExpired, TaskGranted
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import SteeringCommand
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.why.history import sentences
from tests.support.scheduling import (
    NOON,
    A,
    B,
    C,
    accepted,
    attached,
    given,
    model,
    report,
)
from tests.support.steering import (
    RETRYABLE,
    WHY,
    boost,
    ends,
    granted,
    hold,
    move,
    refusal,
    release,
    steered,
    told,
    waiting,
)


def test_a_held_task_is_not_granted_and_the_next_one_is() -> None:
    history = waiting()

    (held,) = steered(history, hold(A))

    assert held == events.TaskHeld(at=NOON, applied_to=4, by="cli:ada", reason=WHY)
    assert granted(history) == [B]
    assert history.pool.queued == 1


def test_a_released_task_has_its_old_place_again() -> None:
    history = waiting()
    steered(history, hold(A))

    steered(history, release(A))

    assert granted(history) == [A]


def test_the_deadline_of_a_held_task_goes_on() -> None:
    history = given(model(), attached(), (A, accepted(deadline=NOON + 5)))
    steered(history, hold(A))

    history.round(NOON + 6)

    assert isinstance(history.of(A)[-1], TaskExpired)
    assert history.pool.queued == 0


def test_a_running_attempt_goes_on_and_the_hold_is_for_the_next_one() -> None:
    history = waiting(slots=2)
    history.round(NOON)

    assert told(history, hold(A)) == "held; attempt 1 goes on, this is for the next one"
    failed = decide_report(history.pool, report(A, 1, RETRYABLE), at=NOON + 1, draw=0.5)
    assert failed is not None
    assert history.record(failed)

    assert granted(history, NOON + 100) == []
    steered(history, release(A), at=NOON + 100)
    assert granted(history, NOON + 100) == [A]


def test_a_running_attempt_of_a_held_task_completes_it() -> None:
    history = waiting(slots=2)
    history.round(NOON)
    steered(history, hold(A))

    ends(history, A)

    assert isinstance(history.of(A)[-1], TaskCompleted)


def test_a_held_task_can_be_cancelled() -> None:
    history = waiting()
    steered(history, hold(A))

    decided = decide_cancel(history.pool, CancelTask(command_id="c", task=A, by="ada"), at=NOON)

    assert decided is not None
    assert history.record(decided)
    assert history.pool.queued == 1
    assert granted(history) == [B]


def test_a_task_that_is_held_during_its_backoff_waits_for_both() -> None:
    history = waiting()
    history.round(NOON)
    failed = decide_report(history.pool, report(A, 1, RETRYABLE), at=NOON + 1, draw=1.0)
    assert failed is not None
    assert history.record(failed)
    steered(history, hold(A), at=NOON + 1)
    steered(history, hold(B), at=NOON + 1)
    due = history.pool.tasks[A].retry_at

    steered(history, release(A), at=NOON + 1.01)

    assert due > NOON + 1.02
    assert granted(history, NOON + 1.02) == []
    assert granted(history, due) == [A]


def test_a_boosted_task_is_due_earlier_and_passes() -> None:
    history = given(
        model(),
        attached(),
        (A, accepted(at=NOON)),
        (B, accepted(at=NOON + 5)),
    )

    (rekeyed,) = steered(history, boost(B, 20.0), at=NOON + 6)

    assert isinstance(rekeyed, events.TaskRekeyed)
    assert (rekeyed.key, rekeyed.boost_s) == (NOON + 15, 20.0)
    assert granted(history, NOON + 6) == [B]


def test_a_boost_never_makes_a_task_due_before_the_floor_of_its_class() -> None:
    history = given(model(), attached(), (A, accepted(priority_class=PriorityClass.BATCH)))

    (rekeyed,) = steered(history, boost(A, 120.0))

    assert isinstance(rekeyed, events.TaskRekeyed)
    assert rekeyed.key == NOON + 30


def test_an_operator_may_boost_by_more_than_a_caller_but_not_by_more_than_the_window() -> None:
    history = given(model(), attached(), (A, accepted(priority_class=PriorityClass.BACKGROUND)))

    refused = refusal(history, boost(A, 1_000_601.0))
    assert refused.code == "boost_out_of_range"
    assert refused.message == "1000601 s is more than the window of background work, 600 s"
    assert f"`pointsman task move {A} --class interactive --reason ...`" in refused.next

    assert told(history, boost(A, 600.0)) == (
        "due 600 s earlier than its class says; its place in the line of its class stays 1"
    )


def test_a_boost_of_zero_takes_an_earlier_boost_away() -> None:
    history = waiting()
    steered(history, boost(B, 25.0))

    (rekeyed,) = steered(history, boost(B, 0.0))

    assert isinstance(rekeyed, events.TaskRekeyed)
    assert rekeyed.key == NOON + 30


def test_a_moved_task_has_the_window_of_its_new_class_from_its_arrival_on() -> None:
    history = waiting()

    (rekeyed,) = steered(history, move(B, PriorityClass.INTERACTIVE), at=NOON + 3)

    assert isinstance(rekeyed, events.TaskRekeyed)
    assert (rekeyed.priority_class, rekeyed.key) == (PriorityClass.INTERACTIVE, NOON + 1)
    assert granted(history, NOON + 3) == [B]


def test_a_moved_task_keeps_as_much_of_its_boost_as_its_new_class_allows() -> None:
    history = waiting()
    steered(history, boost(A, 30.0))

    (rekeyed,) = steered(history, move(A, PriorityClass.INTERACTIVE))

    assert isinstance(rekeyed, events.TaskRekeyed)
    assert (rekeyed.boost_s, rekeyed.key) == (1.0, NOON)


def test_a_grant_after_a_move_is_explained_with_the_new_class() -> None:
    history = waiting()
    steered(history, move(B, PriorityClass.INTERACTIVE))
    history.round(NOON)

    grant = history.of(B)[-1]

    assert isinstance(grant, TaskGranted)
    assert grant.explanation.components.base_s == 1.0


def test_a_boost_of_a_running_task_counts_for_its_next_attempt() -> None:
    history = waiting()
    history.round(NOON)

    assert told(history, boost(A, 10.0)).endswith("attempt 1 goes on, this is for the next one")

    assert history.pool.tasks[A].key == NOON + 20


@pytest.mark.parametrize(
    "command", [hold(C), release(C), boost(C, 1.0), move(C, PriorityClass.BATCH)]
)
def test_a_task_that_is_not_open_is_not_steered(command: SteeringCommand) -> None:
    assert refusal(waiting(), command).code == "task_not_open"


def test_what_operators_did_is_told_with_their_reason() -> None:
    history = waiting()
    for command in (hold(A), release(A), boost(A, 20.0), move(A, PriorityClass.BATCH)):
        steered(history, command, at=NOON + 1)

    lines = "\n".join(sentences(history.of(A)))

    for part in (
        f"12:00:01.000: held by cli:ada: {WHY}.",
        f"12:00:01.000: released by cli:ada: {WHY}.",
        f"12:00:01.000: made due 20 s earlier by cli:ada: {WHY}.",
        f"12:00:01.000: moved to batch work by cli:ada: {WHY}.",
        (
            "It is due to start by 12:01:40.000 instead of 12:00:10.000, in the window of batch "
            "work: 120 s from its arrival"
        ),
    ):
        assert part in lines
