"""Tasks that wait a moment for their context, or for the result of an identical task."""

from uuid import UUID

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from pointsman.contracts.commands import CancelTask, PrepareTask, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskCompleted, TaskExpired, TaskPrepared
from pointsman.contracts.leases import RunFailed
from pointsman.scheduler.domain.admission.preparation import TOO_LONG, decide_prepare
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.tasks import PREPARATION_S
from tests.support.influences import CONTEXT, with_context, with_result, without_context
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    RESULT,
    A,
    B,
    History,
    accepted,
    attached,
    given,
    granted_events,
    model,
    report,
)
from tests.support.splitting import limited

TALK = accepted(conversation="c-1")
CACHED = accepted(cache=True)
HELD_UNTIL = NOON + PREPARATION_S
REFUSED = RunFailed(code="unavailable", message="refused", retryable=True)


def held(task: UUID = A, slots: int = 1) -> History:
    """A pool with room and one task that waits for its context."""
    return given(model(), attached(slots=slots), (task, TALK))


def finish(history: History, task: UUID) -> None:
    """Its holder reports that the first attempt has completed."""
    decided = decide_report(history.pool, report(task, 1), at=NOON, draw=0.5)
    assert decided is not None
    assert history.record(decided)


def prepare(history: History, command: PrepareTask, at: float = NOON + 1) -> bool:
    """Decide and record; whether anything was recorded."""
    decided = decide_prepare(history.pool, command, at=at)
    assert not isinstance(decided, Rejected)
    return decided is not None and history.record(decided)


def refusal(history: History, command: PrepareTask) -> Rejected:
    decided = decide_prepare(history.pool, command, at=NOON + 1)
    assert isinstance(decided, Rejected)
    return decided


@pytest.mark.parametrize("task", [TALK, CACHED], ids=["conversation", "cache"])
def test_a_task_that_waits_for_something_is_not_granted_at_once(task: object) -> None:
    assert isinstance(task, type(TALK))
    history = given(model(), attached(), (A, task))

    assert history.round(NOON) == []
    assert history.round(HELD_UNTIL - 0.125) == []
    assert history.pool.queued == 1


def test_a_task_that_asks_for_nothing_does_not_wait() -> None:
    history = given(model(), attached(), (A, accepted()))

    assert set(granted_events(history.round(NOON))) == {A}


def test_a_prepared_task_is_granted_at_once_and_runs_on_what_was_prepared() -> None:
    history = held()

    assert prepare(history, with_context(A))

    assert history.pool.tasks[A].payload == CONTEXT
    assert set(granted_events(history.round(NOON + 1))) == {A}
    (prepared,) = [event for event in history.of(A) if isinstance(event, TaskPrepared)]
    assert (prepared.assembly, prepared.kept, prepared.dropped, prepared.tokens) == (
        "a-1",
        3,
        2,
        420,
    )


def test_the_merged_result_of_an_identical_task_has_no_variant_and_will_do() -> None:
    history = given(model(), attached(), (A, CACHED))

    assert prepare(history, with_result(A, variant=""))

    assert A not in history.pool.tasks


def test_context_that_makes_an_input_too_long_is_left_out() -> None:
    history = given(limited(limit=CONTEXT.size - 1), attached(), (A, TALK))

    assert prepare(history, with_context(A))

    (prepared,) = [event for event in history.of(A) if isinstance(event, TaskPrepared)]
    assert prepared.note == TOO_LONG
    assert history.pool.tasks[A].payload == PAYLOAD


def test_a_task_without_any_context_runs_on_its_input_alone() -> None:
    history = held()

    assert prepare(history, without_context(A))

    assert history.pool.tasks[A].payload == PAYLOAD
    assert set(granted_events(history.round(NOON + 1))) == {A}


def test_when_nobody_prepares_it_a_task_goes_on_after_its_time() -> None:
    history = held()
    history.round(NOON)

    assert history.pool.next_due(NOON) == HELD_UNTIL
    assert set(granted_events(history.round(HELD_UNTIL))) == {A}
    assert history.pool.tasks[A].payload == PAYLOAD


def test_what_comes_late_is_taken_while_no_slot_was_free() -> None:
    history = given(model(), attached(), (B, accepted()), (A, TALK))
    history.round(NOON)
    history.round(HELD_UNTIL)

    assert prepare(history, with_context(A), at=HELD_UNTIL + 1)
    finish(history, B)

    assert set(granted_events(history.round(HELD_UNTIL + 2))) == {A}


def test_what_comes_after_the_grant_changes_nothing() -> None:
    history = held()
    history.round(HELD_UNTIL)

    assert not prepare(history, with_context(A), at=HELD_UNTIL + 1)
    assert not prepare(history, without_context(B))


def test_a_further_attempt_runs_on_what_the_first_one_ran_on() -> None:
    history = held()
    history.round(HELD_UNTIL)
    failed = decide_report(history.pool, report(A, 1, REFUSED), at=HELD_UNTIL + 1, draw=0.5)
    assert failed is not None
    history.record(failed)

    assert not prepare(history, with_context(A), at=HELD_UNTIL + 1)
    assert history.pool.tasks[A].payload == PAYLOAD


def test_a_cached_result_completes_a_task_that_nobody_runs() -> None:
    history = given(model(), attached(), (A, CACHED))

    assert prepare(history, with_result(A), at=NOON + 0.5)

    completed = history.of(A)[-1]
    assert isinstance(completed, TaskCompleted)
    assert (completed.attempt, completed.device, completed.run_s) == (0, "", 0.0)
    assert (completed.result, completed.cached_from, completed.queue_s) == (RESULT, "earlier", 0.5)
    assert history.pool.tasks == {}
    assert history.pool.queued == 0
    assert history.round(HELD_UNTIL) == []


@pytest.mark.parametrize("at", [NOON + 1, HELD_UNTIL + 1], ids=["held", "in the queue"])
def test_a_cached_result_leaves_the_counters_right(at: float) -> None:
    history = given(
        model(), attached(), (B, accepted()), (A, CACHED), (UUID(int=1), accepted(key=NOON + 60))
    )
    history.round(at)

    prepare(history, with_result(A), at=at)

    sample = sample_load(history.pool, at=at)
    assert (sample.queued, sample.granted) == (1, 1)
    assert [load.queued for load in sample.families] == [1]
    assert history.pool.models.run_times_of("fast").runs == 0
    assert history.pool.turnaround.runs == 0


@pytest.mark.parametrize(
    ("task", "command", "named"),
    [
        (TALK, with_result(A), "did not ask"),
        (CACHED, with_result(A, of=""), "does not say whose"),
        (CACHED, with_result(A, variant="other"), "'other' is not admissible"),
        (CACHED, with_context(A), "no conversation"),
    ],
    ids=["no cache", "no origin", "variant", "no conversation"],
)
def test_what_the_caller_did_not_ask_for_is_refused(
    task: object, command: PrepareTask, named: str
) -> None:
    assert isinstance(task, type(TALK))
    history = given(model(), attached(), (A, task))

    answer = refusal(history, command)

    assert answer.code == "preparation_not_wanted"
    assert named in answer.message
    assert answer.next


def test_a_held_task_can_be_cancelled_and_is_not_released_then() -> None:
    history = held()
    decided = decide_cancel(history.pool, CancelTask(command_id="c", task=A, by="cli"), at=NOON + 1)
    assert decided is not None
    assert history.record(decided)

    assert history.round(HELD_UNTIL) == []
    assert history.pool.queued == 0
    assert not prepare(history, with_context(A))


def test_a_held_task_expires_at_its_deadline() -> None:
    history = given(model(), attached(), (A, accepted(conversation="c", deadline=NOON + 1)))

    (decided,) = history.round(NOON + 1)

    assert isinstance(decided.events[0], TaskExpired)
    assert history.pool.queued == 0


PREPARATIONS = st.sampled_from([with_context(A), without_context(A), with_result(A)])
EIGHTHS = st.integers(0, 40).map(lambda n: n / 8)


@over(first=PREPARATIONS, second=PREPARATIONS, after_s=EIGHTHS, later_s=EIGHTHS)
def test_preparing_twice_changes_nothing(
    first: PrepareTask, second: PrepareTask, after_s: float, later_s: float
) -> None:
    history = given(model(), (A, accepted(conversation="c-1", cache=True)))
    history.round(NOON + after_s)
    assert prepare(history, first, at=NOON + after_s)

    assert not prepare(history, second, at=NOON + after_s + later_s)


@over(
    arrivals=st.lists(EIGHTHS, min_size=1, max_size=8),
    slots=st.integers(1, 8),
    freed_after_s=EIGHTHS,
)
def test_a_held_task_is_granted_when_its_time_is_over_and_a_slot_is_free(
    arrivals: list[float], slots: int, freed_after_s: float
) -> None:
    ids = [UUID(int=n) for n in range(1, len(arrivals) + 1)]
    tasks = [
        (task, accepted(at=NOON + after_s, conversation="c"))
        for task, after_s in zip(ids, sorted(arrivals), strict=True)
    ]
    blockers = [(UUID(int=100 + n), accepted(key=NOON)) for n in range(slots)]
    history = given(model(), attached(slots=slots), *blockers, *tasks)
    history.round(NOON)
    freed_at = NOON + freed_after_s
    granted: dict[UUID, float] = {}
    now = NOON
    freed = False
    while len(granted) < min(slots, len(ids)):
        due = history.pool.next_due(now)
        wakes = [at for at in (None if freed else freed_at, due) if at is not None]
        assert wakes, "nobody would look again"
        now = max(now, min(wakes))
        if not freed and now >= freed_at:
            freed = True
            for blocker, _ in blockers:
                finish(history, blocker)
        granted |= dict.fromkeys(granted_events(history.round(now)), now)

    assert all(
        at == max(freed_at, history.pool.tasks[task].accepted.at + PREPARATION_S)
        for task, at in granted.items()
    )


def test_an_answer_that_lost_the_race_against_a_grant_is_not_recorded() -> None:
    history = held()
    late = decide_prepare(history.pool, with_context(A), at=HELD_UNTIL)
    history.round(HELD_UNTIL)

    assert isinstance(late, Decided)
    assert not history.record(late)
