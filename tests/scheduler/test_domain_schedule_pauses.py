"""A paused schedule does nothing, and what is due meanwhile is no due time of it."""

from math import inf
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    Decision,
    SchedulePaused,
    ScheduleResumed,
    TaskTemplate,
    WarmUp,
)
from pointsman.contracts.schedules import (
    PauseSchedule,
    ResumeSchedule,
    ScheduleSteering,
    SetSchedule,
)
from pointsman.scheduler.domain.schedules.decisions import (
    decide_fired,
    decide_set,
    decide_warmed,
)
from pointsman.scheduler.domain.schedules.pausing import decide_schedule_steering
from pointsman.scheduler.domain.schedules.timetable import Schedule
from pointsman.scheduler.domain.steering.agreed import Agreed
from tests.support.pool_copies import copied
from tests.support.scheduling import NOON, PAYLOAD, History, attached, folded, given, model

KEY: Final = ("acme", "digest")
FIVE_MINUTES: Final = 300.0


def pause(reason: str = "its source is being moved") -> PauseSchedule:
    return PauseSchedule(
        command_id="p-1", by="cli:ada", reason=reason, tenant="acme", name="digest"
    )


def resume(name: str = "digest") -> ResumeSchedule:
    return ResumeSchedule(
        command_id="p-2", by="cli:ada", reason="it is back", tenant="acme", name=name
    )


def with_schedule(*, warm_up: WarmUp | None = None) -> History:
    history = given(model(), attached())
    command = SetSchedule(
        command_id="set-1",
        tenant="acme",
        name="digest",
        cron="*/5 * * * *",
        template=TaskTemplate(family="summarize") if warm_up is None else None,
        warm_up=warm_up,
        by="cli:ada",
    )
    decided = decide_set(history.pool, command, None if warm_up else PAYLOAD, at=NOON)
    assert isinstance(decided, Decided)
    assert history.record(decided)
    return history


def steer(history: History, command: ScheduleSteering, *, at: float) -> list[Decision]:
    steered = decide_schedule_steering(history.pool, command, at=at)
    assert isinstance(steered, Agreed)
    assert history.record(steered.decided)
    return list(steered.decided.events)


def schedule_of(history: History) -> Schedule:
    return history.pool.timetable[KEY]


def fire(history: History, at: float) -> None:
    """What a leader does who looks at that time."""
    due = schedule_of(history).due(at)
    if due is not None:
        fired = decide_fired(history.pool, KEY, due, UUID(int=1), at=at)
        assert fired is not None
        assert history.record(fired)


def test_a_paused_schedule_is_not_due_and_one_that_resumed_is_due_next_time() -> None:
    history = with_schedule()

    (paused,) = steer(history, pause(), at=NOON + 10)
    while_paused = schedule_of(history).due(NOON + FIVE_MINUTES), schedule_of(history).next_due()
    (resumed,) = steer(history, resume(), at=NOON + FIVE_MINUTES + 10)

    assert isinstance(paused, SchedulePaused)
    assert isinstance(resumed, ScheduleResumed)
    assert (paused.by, paused.reason) == ("cli:ada", "its source is being moved")
    assert while_paused == (None, inf)
    assert schedule_of(history).next_due() == NOON + 2 * FIVE_MINUTES
    assert schedule_of(history).due(NOON + FIVE_MINUTES + 20) is None, "it is not made up for"
    assert schedule_of(history).missed == 0
    assert folded(history.entries).timetable == history.pool.timetable


@settings(max_examples=60, deadline=None)
@examples(
    steps=st.lists(
        st.tuples(st.sampled_from([1.0, 61.0, 299.0, 300.0, 901.0, 7_200.0]), st.booleans()),
        max_size=12,
    )
)
def test_every_due_time_outside_of_a_pause_is_settled_and_none_inside(
    steps: list[tuple[float, bool]],
) -> None:
    history, at, paused = with_schedule(), NOON, False
    expected = 0

    for seconds, turns in steps:
        due_meanwhile = int((at + seconds - NOON) // FIVE_MINUTES - (at - NOON) // FIVE_MINUTES)
        expected += 0 if paused else due_meanwhile
        at += seconds
        fire(history, at)
        if turns:
            steer(history, resume() if paused else pause(), at=at)
            paused = not paused

    schedule = schedule_of(history)
    assert schedule.fired + schedule.missed == expected
    assert (schedule.next_due() == inf) is paused
    assert folded(history.entries).timetable == history.pool.timetable


def test_what_is_so_already_changes_nothing() -> None:
    history = with_schedule()

    running = decide_schedule_steering(history.pool, resume(), at=NOON)
    steer(history, pause(), at=NOON)
    again = decide_schedule_steering(history.pool, pause("another"), at=NOON + 1)

    assert running == Done(detail="it is not paused")
    assert again == Done(detail="it is paused already by cli:ada: its source is being moved")


def test_a_schedule_that_is_not_there_cannot_be_paused() -> None:
    refused = decide_schedule_steering(with_schedule().pool, resume("weekly"), at=NOON)

    assert isinstance(refused, Rejected)
    assert (refused.code, "pointsman schedule ls" in refused.next) == ("no_such_schedule", True)


def test_a_task_that_was_made_just_before_the_pause_is_noted_all_the_same() -> None:
    history = with_schedule()
    due = schedule_of(history).due(NOON + FIVE_MINUTES)
    assert due is not None
    steer(history, pause(), at=NOON + FIVE_MINUTES)

    fired = decide_fired(history.pool, KEY, due, UUID(int=1), at=NOON + FIVE_MINUTES + 1)

    assert fired is not None
    assert history.record(fired)
    assert schedule_of(history).fired == 1


def test_a_load_whose_due_time_was_seen_just_before_the_pause_is_not_asked_for() -> None:
    history = with_schedule(warm_up=WarmUp("fast"))
    due = schedule_of(history).due(NOON + FIVE_MINUTES)
    assert due is not None
    steer(history, pause(), at=NOON + FIVE_MINUTES)

    assert decide_warmed(history.pool, KEY, due, at=NOON + FIVE_MINUTES + 1) is None


def test_setting_a_paused_schedule_anew_leaves_it_paused() -> None:
    history = with_schedule()
    steer(history, pause(), at=NOON)
    command = SetSchedule(
        command_id="set-2",
        tenant="acme",
        name="digest",
        cron="0 * * * *",
        template=TaskTemplate(family="summarize"),
        by="cli:ada",
    )

    decided = decide_set(history.pool, command, PAYLOAD, at=NOON + 1)

    assert isinstance(decided, Decided)
    assert history.record(decided)
    assert schedule_of(history).next_due() == inf


@pytest.mark.parametrize("resumes", [False, True])
def test_a_snapshot_keeps_the_pause(*, resumes: bool) -> None:
    history = with_schedule()
    steer(history, pause(), at=NOON)
    if resumes:
        steer(history, resume(), at=NOON + 1)

    assert copied(history.pool).timetable == history.pool.timetable
