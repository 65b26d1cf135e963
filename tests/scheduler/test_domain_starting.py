"""Tasks that may not run before a time."""

import msgspec
import pytest

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskAccepted
from pointsman.scheduler.domain.admission.preparation import decide_prepare
from pointsman.scheduler.domain.admission.starting import MAX_AHEAD_S, MAX_DEADLINE_S
from pointsman.scheduler.domain.admission.submitting import decide_submit, refuse_submit
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.influences import with_context, with_result
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    A,
    attached,
    given,
    granted_events,
    model,
    submission,
)


def starting(not_before: float | None = None) -> SubmitTask:
    return msgspec.structs.replace(submission(), not_before=not_before)


def test_a_task_sleeps_until_its_time_and_is_counted_as_waiting() -> None:
    history = given(model(), attached())
    event = decide_submit(history.pool, starting(NOON + 60), PAYLOAD, at=NOON)
    assert isinstance(event, TaskAccepted)
    history.append(A, event)

    early = history.round(NOON + 59.9)
    load = sample_load(history.pool, at=NOON)
    words = waits_for(history.pool, history.pool.tasks[A])
    due = history.pool.next_due(NOON)
    on_time = granted_events(history.round(NOON + 60))

    assert (early, set(on_time)) == ([], {A})
    assert (history.pool.queued, load.queued, load.families[0].queued) == (0, 1, 0)
    assert (due, words) == (NOON + 60, "its time, 2026-01-01 12:01:00 UTC")
    assert on_time[A].explanation.components.age_s == 0


def test_a_task_that_slept_stands_where_it_would_if_it_had_been_sent_then() -> None:
    history = given(model(), attached())

    slept = decide_submit(history.pool, starting(NOON + 60), PAYLOAD, at=NOON)
    sent_then = decide_submit(history.pool, starting(), PAYLOAD, at=NOON + 60)
    long_past = decide_submit(history.pool, starting(NOON - 60), PAYLOAD, at=NOON)

    assert isinstance(slept, TaskAccepted)
    assert isinstance(sent_then, TaskAccepted)
    assert isinstance(long_past, TaskAccepted)
    assert slept.key == sent_then.key
    assert long_past.key == sent_then.key - 60


@pytest.mark.parametrize(
    ("ahead_s", "deadline_s", "code"),
    [
        (60.0, 60.0, "deadline_before_start"),
        (60.0, 30.0, "deadline_before_start"),
        (MAX_AHEAD_S + 1, None, "too_far_ahead"),
        (60.0, 61.0, ""),
        (-60.0, 30.0, ""),
    ],
)
def test_a_task_that_could_only_be_late_is_refused(
    ahead_s: float, deadline_s: float | None, code: str
) -> None:
    history = given(model(), attached())
    deadline = None if deadline_s is None else NOON + deadline_s
    task = msgspec.structs.replace(submission(), not_before=NOON + ahead_s, deadline=deadline)

    decided = decide_submit(history.pool, task, PAYLOAD, at=NOON)

    assert (decided.code if isinstance(decided, Rejected) else "") == code


def test_a_deadline_that_nobody_can_mean_is_refused_at_the_door() -> None:
    history = given(model(), attached())
    far = msgspec.structs.replace(submission(), deadline=NOON + MAX_DEADLINE_S + 1)
    late = msgspec.structs.replace(far, deadline=NOON + MAX_DEADLINE_S)

    refused = refuse_submit(history.pool, far, PAYLOAD, at=NOON)

    assert isinstance(refused, Rejected)
    assert refused.code == "too_far_ahead"
    assert refuse_submit(history.pool, late, PAYLOAD, at=NOON) is None


def test_what_was_prepared_early_runs_when_its_time_has_come() -> None:
    task = msgspec.structs.replace(starting(NOON + 60), conversation="c-1")
    event = decide_submit(given(model()).pool, task, PAYLOAD, at=NOON)
    assert isinstance(event, TaskAccepted)
    history = given(model(), attached(), (A, event))
    prepared = decide_prepare(history.pool, with_context(A), at=NOON + 1)
    assert isinstance(prepared, Decided)
    assert history.record(prepared)

    early, on_time = history.round(NOON + 59), granted_events(history.round(NOON + 60))

    assert (early, set(on_time)) == ([], {A})


def test_a_cached_result_does_not_come_before_its_time() -> None:
    task = msgspec.structs.replace(starting(NOON + 60), cache=True)
    event = decide_submit(given(model()).pool, task, PAYLOAD, at=NOON)
    assert isinstance(event, TaskAccepted)
    history = given(model(), attached(), (A, event))

    early, late = (decide_prepare(history.pool, with_result(A), at=NOON + s) for s in (1, 60))

    assert early is None
    assert isinstance(late, Decided)
