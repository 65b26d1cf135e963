"""Every due time of a schedule makes one task or is counted as missed, whoever acts, and when."""

from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.commands import Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    MissedTimes,
    ScheduleFired,
    ScheduleSet,
    TaskAccepted,
    TaskTemplate,
)
from pointsman.contracts.schedules import SetSchedule
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.schedules.cron import Cron
from pointsman.scheduler.domain.schedules.decisions import (
    MAX_SCHEDULES,
    decide_fired,
    decide_made,
    decide_missed,
    decide_set,
    stream_of,
    submission,
)
from pointsman.scheduler.domain.schedules.timetable import due_of, message_id
from tests.support.scheduling import NOON, PAYLOAD, History, folded, given, model

KEY = ("acme", "digest")


def terms(cron: str = "*/5 * * * *", missed: MissedTimes = MissedTimes.ONCE) -> SetSchedule:
    return SetSchedule(
        command_id="set-1",
        tenant="acme",
        name="digest",
        cron=cron,
        template=TaskTemplate(family="summarize"),
        payload=b"a text",
        by="cli:ada",
        missed=missed,
    )


def with_schedule(command: SetSchedule) -> History:
    history = given(model())
    decided = decide_set(history.pool, command, PAYLOAD, at=NOON)
    assert isinstance(decided, Decided)
    assert history.record(decided)
    return history


@dataclass
class Fired:
    """A leader as it should be, that may die between the two steps of firing."""

    history: History
    tasks: list[float] = field(default_factory=list[float])

    def look(self, at: float, *, dies: bool) -> None:
        pool = self.history.pool
        made = decide_made(pool, KEY, at=at)
        if made is not None:
            assert self.history.record(made)
        due = pool.timetable[KEY].due(at)
        if due is None:
            return
        if due.skipped:
            missed = decide_missed(pool, KEY, due, None, at=at)
            assert missed is not None
            assert self.history.record(missed)
            return
        task = UUID(int=len(self.tasks) + 1)
        wanted = submission(pool.timetable[KEY], due.time, at=at)
        assert wanted is not None
        event = decide_submit(pool, wanted, PAYLOAD, at=at)
        assert isinstance(event, TaskAccepted)
        self.history.append(task, event)
        self.tasks.append(due.time)
        if not dies:
            fired = decide_fired(pool, KEY, due, task, at=at)
            assert fired is not None
            assert self.history.record(fired)


@settings(max_examples=60, deadline=None)
@examples(
    cron=st.sampled_from(["*/5 * * * *", "0 * * * *", "*/7 */2 * * *", "30 2 * * *"]),
    missed=st.sampled_from(MissedTimes),
    looks=st.lists(
        st.tuples(st.sampled_from([1.0, 59.0, 61.0, 300.0, 3_600.0, 90_000.0]), st.booleans()),
        max_size=12,
    ),
)
def test_every_due_time_is_settled_once(
    cron: str, missed: MissedTimes, looks: list[tuple[float, bool]]
) -> None:
    history = with_schedule(terms(cron, missed))
    leader, at = Fired(history), NOON

    for seconds, dies in looks:
        at += seconds
        leader.look(at, dies=dies)
    leader.look(at, dies=False)

    expected: list[float] = []
    for due in Cron(cron, "UTC").after(NOON):
        if due > at:
            break
        expected.append(due)
    schedule = history.pool.timetable[KEY]
    assert len(set(leader.tasks)) == len(leader.tasks) == schedule.fired
    assert set(leader.tasks) <= set(expected)
    assert schedule.fired + schedule.missed == len(expected)
    assert schedule.next_due() > at
    assert folded(history.entries).timetable == history.pool.timetable


def test_a_schedule_of_another_pool_is_none_of_this_one() -> None:
    history = given(model())
    event = decide_set(history.pool, terms(), PAYLOAD, at=NOON)
    assert isinstance(event, Decided)
    (schedule,) = event.events
    assert isinstance(schedule, ScheduleSet)

    history.append(event.stream, msgspec.structs.replace(schedule, pool="other"))

    assert history.pool.timetable == {}


def test_what_was_noted_is_not_noted_again() -> None:
    history = with_schedule(terms())
    due = history.pool.timetable[KEY].due(NOON + 300)
    assert due is not None
    first = decide_fired(history.pool, KEY, due, UUID(int=1), at=NOON + 300)
    assert first is not None
    assert history.record(first)

    assert decide_fired(history.pool, KEY, due, UUID(int=1), at=NOON + 301) is None
    assert decide_missed(history.pool, KEY, due, None, at=NOON + 301) is None
    assert decide_missed(history.pool, ("acme", "gone"), due, None, at=NOON + 301) is None
    assert decide_made(history.pool, KEY, at=NOON + 301) is None


def test_a_pool_has_a_bounded_number_of_schedules() -> None:
    history = with_schedule(terms())
    (first,) = [e.event for e in history.entries if isinstance(e.event, ScheduleSet)]
    for number in range(MAX_SCHEDULES - 1):
        name = f"s-{number}"
        event = msgspec.structs.replace(first, name=name)
        history.append(stream_of(("acme", name)), event)

    one_more = decide_set(
        history.pool, msgspec.structs.replace(terms(), name="one-more"), PAYLOAD, at=NOON
    )
    known = decide_set(history.pool, terms("0 * * * *"), PAYLOAD, at=NOON)

    assert isinstance(one_more, Rejected)
    assert one_more.code == "too_many_schedules"
    assert isinstance(known, Decided)


def test_a_fired_schedule_says_so_with_its_task() -> None:
    history = with_schedule(terms())
    Fired(history).look(NOON + 300, dies=False)

    (fired,) = [e.event for e in history.entries if isinstance(e.event, ScheduleFired)]

    assert (fired.due, fired.task, fired.missed) == (NOON + 300, str(UUID(int=1)), 0)


@pytest.mark.parametrize("name", ["digest", "a.b-c_d", "2026-01-01"])
def test_a_message_id_tells_the_due_time(name: str) -> None:
    assert due_of(message_id(name, NOON), name) == NOON
    assert due_of(message_id(name, NOON), "another") is None
    assert due_of(f"{name}@noon", name) is None
    assert due_of(name, "") is None
