"""Of two attempts the first result counts, and one that ends badly leaves the task to the other."""

import pytest

from pointsman.contracts.commands import CancelTask
from pointsman.contracts.events import (
    AttemptDropped,
    AttemptEnd,
    AttemptFailed,
    AttemptLost,
    SlotReleased,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
)
from pointsman.contracts.leases import Outcome, RunCancelled, RunFailed, RunTimedOut
from pointsman.contracts.task_states import TaskState
from pointsman.policy.parameters import RULES
from pointsman.scheduler.domain.attachment import decide_absent, decide_attach
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_lost
from pointsman.scheduler.domain.why.history import sentences
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.hedging import (
    LATE,
    USUAL_S,
    ends,
    experienced,
    hedged,
    slots,
)
from tests.support.scheduling import (
    A,
    attach,
    attached,
    folded,
    offer,
)

REFUSED = RunFailed(code="unavailable", message="connection refused", retryable=True)
GONE = RunFailed(code="unavailable", message="no answer", retryable=True, device_lost=True)


@pytest.mark.parametrize("winner", [1, 2])
def test_the_first_result_ends_the_task_and_the_other_call_keeps_its_slot(winner: int) -> None:
    history = hedged()
    loser = history.pool.tasks[A].lease_of(3 - winner)
    assert loser is not None

    (completed,) = ends(history, winner)

    assert isinstance(completed, TaskCompleted)
    assert completed.attempt == winner
    assert A not in history.pool.tasks
    assert sum(held for held, _ in slots(history).values()) == 0
    assert slots(history)[loser.device] == (0, 1)


def test_the_slot_of_the_loser_is_free_when_its_call_has_ended() -> None:
    history = hedged()
    ends(history, 2)

    (released,) = ends(history, 1, RunCancelled())

    assert isinstance(released, SlotReleased)
    assert set(slots(history).values()) == {(0, 0)}


@pytest.mark.parametrize(
    ("outcome", "end", "suspect"),
    [
        (REFUSED, AttemptEnd.FAILED, 0),
        (RunTimedOut(run_s=60.0), AttemptEnd.TIMED_OUT, 0),
        (RunTimedOut(run_s=5.0, code="heartbeat_missed"), AttemptEnd.TIMED_OUT, 0),
        (RunCancelled(), AttemptEnd.LOST, 0),
        (GONE, AttemptEnd.LOST, 1),
    ],
)
@pytest.mark.parametrize("first", [1, 2])
def test_an_attempt_that_ends_badly_leaves_the_task_to_the_other(
    first: int, outcome: Outcome, end: AttemptEnd, suspect: int
) -> None:
    history = hedged(max_attempts=1)

    (dropped,) = ends(history, first, outcome)

    assert isinstance(dropped, AttemptDropped)
    assert (dropped.attempt, dropped.goes_on, dropped.end) == (first, 3 - first, end)
    task = history.pool.tasks[A]
    assert task.state is TaskState.GRANTED
    assert [lease.attempt for lease in task.leases] == [3 - first]
    assert sum(n for _, n in slots(history).values()) == suspect
    assert history.pool.queued == 0

    (completed,) = ends(history, 3 - first)

    assert isinstance(completed, TaskCompleted)


def test_a_hedge_is_no_try() -> None:
    history = hedged(max_attempts=2)
    ends(history, 1, REFUSED)

    (failed,) = ends(history, 2, REFUSED)

    assert isinstance(failed, AttemptFailed)
    assert history.pool.tasks[A].tries == 1
    assert history.pool.queued == 1


def test_a_task_whose_tries_are_used_up_fails_with_its_last_attempt() -> None:
    history = hedged(max_attempts=1)
    ends(history, 1, REFUSED)

    _, failed = ends(history, 2, REFUSED)

    assert isinstance(failed, TaskFailed)
    assert set(slots(history).values()) == {(0, 0)}


def test_both_attempts_may_be_lost_with_their_executor() -> None:
    history = hedged()

    for decided in decide_absent(history.pool, "executor-1", at=LATE + 5):
        assert history.record(decided)

    kinds = [type(event) for event in history.of(A)]
    assert kinds[-2:] == [AttemptDropped, AttemptLost]
    task = history.pool.tasks[A]
    assert (task.state, task.leases, task.tries) == (TaskState.QUEUED, (), 0)
    assert set(slots(history).values()) == {(0, 1)}


def test_a_restarted_executor_loses_its_attempt_and_not_that_of_another() -> None:
    history = hedged(experienced(attached("cpu-0"), attached("cpu-1", executor="executor-2")))

    again = attach(offer("cpu-0"), incarnation="second")
    for decided in decide_attach(history.pool, again, at=LATE + 5):
        assert history.record(decided)

    leases = history.pool.tasks[A].leases
    assert [lease.executor for lease in leases] == ["executor-2"]
    assert history.pool.executors() == {"executor-1", "executor-2"}


def test_a_lease_that_runs_out_is_lost_by_itself() -> None:
    history = hedged()

    decided = decide_lost(history.pool, A, "lease_expired", at=LATE + 20, attempts=(2,))

    assert decided is not None
    (dropped,) = decided.events
    assert isinstance(dropped, AttemptDropped)
    assert dropped.code == "lease_expired"


def test_a_cancelled_task_leaves_both_slots_suspect() -> None:
    history = hedged()

    decided = decide_cancel(history.pool, CancelTask(command_id="c", task=A, by="ada"), at=LATE + 1)

    assert decided is not None
    assert history.record(decided)
    assert isinstance(history.of(A)[-1], TaskCancelled)
    assert set(slots(history).values()) == {(0, 1)}


def test_the_tenant_pays_for_both_attempts() -> None:
    before = experienced()
    paid = before.pool.waiting.counters.of("acme")

    after = hedged(before)

    assert after.pool.waiting.counters.of("acme") == pytest.approx(paid + 2 * USUAL_S)


def test_what_was_hedged_is_told_and_decided_again_alike() -> None:
    history = hedged()
    waits = waits_for(history.pool, history.pool.tasks[A])
    ends(history, 2)

    lines = "\n".join(sentences(history.of(A)))

    assert "the result of attempt 1 on cpu-" in waits
    assert " or the result of attempt 2 on cpu-" in waits
    assert "attempt 1 had taken 1 s, which is longer than 95 % of the runs of fast (250 ms" in lines
    assert "Attempt 2 was first; attempt 1 was stopped" in lines
    assert f"(policy {RULES}+" in lines
    again = folded(history.entries)
    assert again.tasks == history.pool.tasks
    assert again.attempts.hedges.allowance == history.pool.attempts.hedges.allowance
