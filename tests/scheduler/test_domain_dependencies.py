"""Tasks that wait for other tasks, or for their time: whatever happens, each of them ends once."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import pytest

from pointsman.contracts.commands import CancelTask, Rejected, SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskAccepted, TaskFailed
from pointsman.contracts.leases import Outcome, RunCompleted, RunFailed
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.admission.dependencies import (
    DEPENDENCY_FAILED,
    FAILURES_PER_ROUND,
    REMEMBERED_ENDS,
    PastTask,
)
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    RESULT,
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
    submission,
)

DONE: Final = RunCompleted(result=RESULT, run_s=0.25)
BROKEN: Final = RunFailed(code="bad_output", message="wrong shape", retryable=False)
D: Final = UUID("019b7a3e-0000-7000-8000-00000000000d")


def depending(on: Sequence[UUID], *, not_before: float | None = None) -> SubmitTask:
    return msgspec.structs.replace(submission(), depends_on=tuple(on), not_before=not_before)


def submitted(history: History, task: UUID, *on: UUID, at: float = NOON) -> TaskAccepted:
    """A task that was accepted on the newest state."""
    event = decide_submit(history.pool, depending(on), PAYLOAD, at=at)
    assert isinstance(event, TaskAccepted)
    assert history.record(Decided(task, 0, (event,), "acme"))
    return event


def run(history: History, task: UUID, outcome: Outcome = DONE, *, at: float = NOON) -> None:
    """Grant whatever can be granted, then report the task."""
    history.round(at)
    lease = history.pool.tasks[task].lease
    assert lease is not None
    decided = decide_report(
        history.pool, report(task, lease.attempt, outcome), at=at + 0.25, draw=0.5
    )
    assert decided is not None
    assert history.record(decided)


def cancelled(history: History, task: UUID) -> None:
    command = CancelTask(command_id="cancel", task=task, by="ada")
    decided = decide_cancel(history.pool, command, at=NOON)
    assert decided is not None
    assert history.record(decided)


def a_pool(*, slots: int = 1) -> History:
    return given(model(), attached(slots=slots), (A, accepted()))


def test_a_task_is_queued_when_what_it_depends_on_has_completed() -> None:
    history = a_pool(slots=2)
    event = submitted(history, B, A)

    before = granted_events(history.round(NOON))
    run(history, A)
    after = granted_events(history.round(NOON + 1))

    assert (event.depends_on, event.awaits) == ((str(A),), (str(A),))
    assert (set(before), set(after)) == ({A}, {B})


def test_a_task_waits_for_the_last_of_several() -> None:
    history = given(model(), attached(slots=3), (A, accepted()), (B, accepted()))
    submitted(history, C, A, B)

    run(history, A)
    with_one_left = granted_events(history.round(NOON + 1))
    run(history, B)
    with_none_left = granted_events(history.round(NOON + 2))

    assert (set(with_one_left), set(with_none_left)) == (set(), {C})


def test_what_has_completed_already_is_waited_for_no_more() -> None:
    history = a_pool()
    run(history, A)

    event = submitted(history, B, A)

    assert (event.depends_on, event.awaits) == ((str(A),), ())
    assert set(granted_events(history.round(NOON + 1))) == {B}


@pytest.mark.parametrize("outcome", [BROKEN, None], ids=["failed", "cancelled"])
def test_a_task_fails_with_what_it_depends_on(outcome: Outcome | None) -> None:
    history = a_pool()
    submitted(history, B, A)

    if outcome is None:
        cancelled(history, A)
    else:
        run(history, A, outcome)
    history.round(NOON + 1)

    failed = history.of(B)[-1]
    assert isinstance(failed, TaskFailed)
    assert (failed.code, failed.attempts) == (DEPENDENCY_FAILED, 0)
    assert str(A) in failed.message
    assert history.pool.tasks == {}
    assert history.round(NOON + 2) == []


def test_a_chain_fails_one_link_per_round() -> None:
    history = a_pool()
    submitted(history, B, A)
    submitted(history, C, B)
    cancelled(history, A)

    first, second = history.round(NOON), history.round(NOON)

    assert ([d.stream for d in first], [d.stream for d in second]) == ([B], [C])


def test_a_round_ends_a_bounded_number_of_dependents() -> None:
    history = a_pool()
    for number in range(FAILURES_PER_ROUND + 1):
        submitted(history, UUID(int=number + 1), A)
    cancelled(history, A)

    assert len(history.round(NOON)) == FAILURES_PER_ROUND
    assert len(history.round(NOON)) == 1


@pytest.mark.parametrize(
    ("outcome", "code"), [(BROKEN, DEPENDENCY_FAILED), (None, "unknown_dependency")]
)
def test_what_can_never_run_is_refused(outcome: Outcome | None, code: str) -> None:
    history = a_pool()
    if outcome is not None:
        run(history, A, outcome)
    unknown = A if outcome is not None else B

    refused = decide_submit(history.pool, depending([unknown]), PAYLOAD, at=NOON)

    assert isinstance(refused, Rejected)
    assert (refused.code, str(unknown) in refused.message, bool(refused.next)) == (code, True, True)


def test_nothing_is_told_of_another_tenants_task() -> None:
    history = a_pool()
    other = msgspec.structs.replace(depending([A]), tenant="globex")

    of_another, of_nobody = (
        decide_submit(history.pool, task, PAYLOAD, at=NOON) for task in (other, depending([B]))
    )

    assert isinstance(of_another, Rejected)
    assert isinstance(of_nobody, Rejected)
    assert of_another.message.replace(str(A), str(B)) == of_nobody.message


@pytest.mark.parametrize(
    ("past", "code"),
    [
        (PastTask("acme", TaskState.COMPLETED), ""),
        (PastTask("acme", TaskState.SHED), DEPENDENCY_FAILED),
        (PastTask("acme", TaskState.QUEUED), "dependency_elsewhere"),
        (PastTask("globex", TaskState.COMPLETED), "unknown_dependency"),
    ],
)
def test_what_the_pool_has_forgotten_is_told_to_the_decision(past: PastTask, code: str) -> None:
    history = a_pool()

    decided = decide_submit(history.pool, depending([D]), PAYLOAD, at=NOON, past={D: past})

    assert (decided.code if isinstance(decided, Rejected) else "") == code
    assert history.pool.dependencies.unknown([A, D]) == [D]


def test_a_dependency_may_end_while_the_acceptance_is_on_its_way() -> None:
    for outcome, left in ((DONE, {B}), (BROKEN, set[UUID]())):
        history = a_pool()
        event = decide_submit(history.pool, depending([A]), PAYLOAD, at=NOON)
        assert isinstance(event, TaskAccepted)
        run(history, A, outcome)

        history.append(B, event)

        assert event.awaits == (str(A),)
        assert set(granted_events(history.round(NOON + 1))) == left
        assert history.pool.tasks.keys() == left


def test_the_latest_ends_are_remembered_and_no_more_than_twice_as_many() -> None:
    history = a_pool()
    for number in range(2 * REMEMBERED_ENDS):
        task = UUID(int=number + 1)
        history.append(task, accepted())
        cancelled(history, task)

    known = history.pool.dependencies
    assert len(known.latest) + len(known.earlier) <= 2 * REMEMBERED_ENDS
    assert known.unknown([UUID(int=2 * REMEMBERED_ENDS)]) == []
    assert known.unknown([UUID(int=REMEMBERED_ENDS + 2)]) == []


def test_a_dependent_whose_dependency_nobody_remembers_ends_all_the_same() -> None:
    history = a_pool()
    history.append(B, msgspec.structs.replace(accepted(), depends_on=(str(D),), awaits=(str(D),)))

    (decided,) = [d for d in history.round(NOON) if d.stream == B]

    (event,) = decided.events
    assert isinstance(event, TaskFailed)
    assert "not known" in event.message


def test_an_open_task_says_what_it_waits_for() -> None:
    history = given(model(), attached(), (A, accepted()), (B, accepted()))
    submitted(history, C, A, B)
    submitted(history, D, C)

    both = waits_for(history.pool, history.pool.tasks[C])
    cancelled(history, A)
    none = waits_for(history.pool, history.pool.tasks[C])

    assert both == f"task {A} and 1 more to complete"
    assert none == f"its end: it depends on task {A}, which was cancelled"
