"""A schedule that warms a model up asks for its load at each due time, once, whoever leads."""

from typing import Any, Final, TypeVar

import msgspec
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.commands import Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    Decision,
    DeviceDetached,
    MissedTimes,
    ResidencyAsked,
    ScheduleFired,
    ScheduleMissed,
    ScheduleSet,
    TaskTemplate,
    WarmUp,
)
from pointsman.contracts.schedules import SetSchedule
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.schedules.cron import Cron
from pointsman.scheduler.domain.schedules.decisions import (
    decide_missed,
    decide_set,
    decide_warmed,
    submission,
)
from pointsman.scheduler.domain.schedules.timetable import WARM_IN_TIME_S, Due
from pointsman.time_machine.replay.verification import Verification
from tests.support.asked_residency import a_pool, change_ends, changes, dedicated
from tests.support.log_rows import rows_of
from tests.support.scheduling import NOON, PAYLOAD, History, attached, folded
from tests.support.steering import drain, load, steered, unload

KEY: Final = ("acme", "morning")

MORNING: Final = SetSchedule(
    command_id="set-1",
    tenant="acme",
    name="morning",
    cron="*/5 * * * *",
    by="cli:ada",
    warm_up=WarmUp(variant="slow"),
)


DecisionT = TypeVar("DecisionT", bound=Decision)


def wished(**wishes: Any) -> SetSchedule:  # noqa: ANN401 - whatever a test changes
    return msgspec.structs.replace(MORNING, **wishes)


def set_on(history: History, command: SetSchedule = MORNING) -> History:
    decided = decide_set(history.pool, command, None, at=NOON)
    assert isinstance(decided, Decided)
    assert history.record(decided)
    return history


def looks(history: History, at: float) -> Decided | None:
    """What a leader decides about the schedule at a moment, and records."""
    schedule = history.pool.timetable.get(KEY)
    due = schedule.due(at) if schedule is not None else None
    if due is None:
        return None
    decided = (
        decide_missed(history.pool, KEY, due, None, at=at)
        if due.skipped
        else decide_warmed(history.pool, KEY, due, at=at)
    )
    assert decided is not None
    assert history.record(decided)
    return decided


def recorded(history: History, kind: type[DecisionT]) -> list[DecisionT]:
    return [entry.event for entry in history.entries if isinstance(entry.event, kind)]


def test_a_due_time_and_what_it_asks_for_are_one_append() -> None:
    history = set_on(a_pool(dedicated()))

    decided = looks(history, NOON + 301)

    assert decided is not None
    (fired,), (asked,) = decided.events, decided.also[0].events
    assert isinstance(fired, ScheduleFired)
    assert isinstance(asked, ResidencyAsked)
    assert (fired.due, fired.task) == (NOON + 300, "")
    assert fired.detail == "slow will be loaded on a device that fits"
    assert (asked.variant, asked.load, asked.device) == ("slow", True, "")
    assert asked.by == "schedule morning"
    assert asked.reason == "a warm-up is due at 2026-01-01T12:05:00Z, set by cli:ada"


def test_the_load_is_granted_in_the_next_round_as_an_operators_is() -> None:
    history = set_on(
        a_pool(dedicated(), dedicated("gpu-1")), wished(warm_up=WarmUp("slow", "gpu-1"))
    )
    looks(history, NOON + 300)

    (change,) = changes(history, NOON + 301)

    assert (change.device, change.load, change.by) == ("gpu-1", "slow", "schedule morning")


def test_what_is_loaded_is_not_asked_for_again() -> None:
    history = set_on(a_pool(dedicated()))
    looks(history, NOON + 300)
    (change,) = changes(history, NOON + 301)
    change_ends(history, change, "slow", at=NOON + 310)

    again = looks(history, NOON + 600)

    assert again is not None
    assert again.also == ()
    (fired,) = again.events
    assert isinstance(fired, ScheduleFired)
    assert fired.detail == "slow is loaded on gpu-0 already"


def test_a_second_look_and_a_second_leader_ask_for_nothing() -> None:
    history = set_on(a_pool(dedicated()))
    due = history.pool.timetable[KEY].due(NOON + 300)
    assert due is not None
    first = decide_warmed(history.pool, KEY, due, at=NOON + 300)
    rival = decide_warmed(folded(history.entries), KEY, due, at=NOON + 301)
    assert first is not None
    assert rival is not None

    assert history.record(first)

    assert not history.record(rival)
    assert decide_warmed(history.pool, KEY, due, at=NOON + 302) is None
    assert len(recorded(history, ResidencyAsked)) == 1


@pytest.mark.parametrize(("late_s", "asked"), [(WARM_IN_TIME_S, 1), (WARM_IN_TIME_S + 1, 0)])
def test_a_warm_up_that_is_ten_minutes_late_is_skipped(late_s: float, asked: int) -> None:
    history = set_on(a_pool(dedicated()), wished(cron="0 * * * *"))

    looks(history, NOON + 3_600 + late_s)

    assert len(recorded(history, ResidencyAsked)) == asked
    for note in recorded(history, ScheduleMissed):
        assert (note.code, note.missed) == ("not_in_time", 1)
        assert "within 600 s" in note.reason


@settings(max_examples=60, deadline=None)
@examples(
    cron=st.sampled_from(["*/5 * * * *", "0 * * * *", "*/7 */2 * * *", "30 2 * * *"]),
    pauses=st.lists(st.sampled_from([1.0, 59.0, 299.0, 601.0, 3_600.0, 90_000.0]), max_size=12),
    unloads=st.booleans(),
)
def test_every_due_time_is_settled_once_and_decided_again_alike(
    cron: str, pauses: list[float], *, unloads: bool
) -> None:
    history, at = set_on(a_pool(dedicated()), wished(cron=cron)), NOON

    for pause in [*pauses, 0.0]:
        at += pause
        looks(history, at)
        assert looks(history, at) is None
        for change in changes(history, at):
            change_ends(history, change, *([change.load] if change.load else []), at=at)
        if unloads:
            steered(history, unload("slow"), at=at)

    expected = 0
    for due in Cron(cron, "UTC").after(NOON):
        if due > at:
            break
        expected += 1
    schedule = history.pool.timetable[KEY]
    fired = recorded(history, ScheduleFired)
    assert len({event.due for event in fired}) == len(fired) == schedule.fired
    assert schedule.fired + schedule.missed == expected
    assert folded(history.entries).timetable == history.pool.timetable
    assert [*folded(history.entries).steering.asks] == [*history.pool.steering.asks]
    again = Verification("main")
    again.take(rows_of(history.entries))
    again.end()
    kinds = {
        "schedule.fired.v1",
        "schedule.missed.v1",
        "schedule.set.v1",
        "pool.residency_asked.v1",
    }
    assert [each for each in again.differences if each.type in kinds] == []


def test_a_load_that_is_not_to_be_had_is_noted_with_the_reason() -> None:
    history = set_on(a_pool(dedicated()))
    steered(history, drain("gpu-0"))

    looks(history, NOON + 300)

    (missed,) = recorded(history, ScheduleMissed)
    assert missed.code == "not_loadable"
    assert "gpu-0 is drained by" in missed.reason
    assert recorded(history, ResidencyAsked) == []


def test_a_device_that_is_drained_or_away_does_not_refuse_a_schedule() -> None:
    drained, away = a_pool(dedicated()), a_pool(dedicated())
    steered(drained, drain("gpu-0"))
    gone = DeviceDetached(at=NOON, applied_to=0, device="gpu-0", reason="stopped")
    away.append(stream_id("device", "gpu-0"), gone)

    for history in (drained, away):
        assert isinstance(decide_set(history.pool, MORNING, None, at=NOON), Decided)


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"warm_up": WarmUp("nobody")}, "unknown_model"),
        ({"warm_up": WarmUp("slow", "gpu-9")}, "no_such_device"),
        ({"warm_up": WarmUp("slow", "cpu-0")}, "not_loadable"),
        ({"warm_up": None}, "task_or_warm_up"),
        ({"warm_up": None, "payload": b"a text"}, "task_or_warm_up"),
        ({"payload": b"a text"}, "task_or_warm_up"),
        ({"template": TaskTemplate(family="slow")}, "task_or_warm_up"),
        ({"cron": "every day"}, "cron_invalid"),
    ],
)
def test_a_schedule_that_could_never_load_anything_is_refused(
    wishes: dict[str, Any], code: str
) -> None:
    history = a_pool(dedicated(), attached("cpu-0"))

    refused = decide_set(history.pool, wished(**wishes), None, at=NOON)

    assert isinstance(refused, Rejected)
    assert (refused.code, bool(refused.next)) == (code, True)


def test_it_is_recorded_that_missed_times_are_skipped() -> None:
    history = set_on(a_pool(dedicated()), wished(missed=MissedTimes.ONCE))

    (terms,) = recorded(history, ScheduleSet)

    assert (terms.missed, terms.payload, terms.template) == (MissedTimes.SKIP, None, None)
    assert decide_set(history.pool, MORNING, None, at=NOON + 1) is None


def test_a_schedule_that_makes_tasks_by_then_warms_nothing_up() -> None:
    history = set_on(a_pool(dedicated()))
    due = Due(NOON + 300, 0)
    command = wished(warm_up=None, template=TaskTemplate(family="slow"))
    changed = decide_set(history.pool, command, PAYLOAD, at=NOON + 1)
    assert isinstance(changed, Decided)
    assert history.record(changed)

    assert decide_warmed(history.pool, KEY, due, at=NOON + 300) is None
    assert submission(history.pool.timetable[KEY], NOON + 300, at=NOON + 300) is not None


def test_an_ask_of_an_operator_that_is_open_is_not_repeated() -> None:
    history = set_on(a_pool(dedicated()))
    steered(history, load("slow"))

    looks(history, NOON + 300)

    assert [event.by for event in recorded(history, ResidencyAsked)] == ["cli:ada"]
    (fired,) = recorded(history, ScheduleFired)
    assert fired.detail == "that is asked for already by cli:ada"
