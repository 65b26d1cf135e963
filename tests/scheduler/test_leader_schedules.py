"""Schedules: one task or load per due time, whoever leads, and a note of each without."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from pointsman.contracts.commands import Done
from pointsman.contracts.events import (
    MissedTimes,
    ResidencyAsked,
    ScheduleFired,
    ScheduleMissed,
    TaskTemplate,
    WarmUp,
)
from pointsman.contracts.levels import Level
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.schedules import ListSchedules
from pointsman.scheduler.leading.pool_rows import schedule_rows
from pointsman.scheduler.leading.schedules import AT_ONCE, Schedules
from pointsman.testing.waiting import wait_until
from tests.support.influences import level_changed
from tests.support.leading import Scheduler, World, scheduler
from tests.support.schedules import (
    EVERY_MINUTE,
    changed,
    loading_offer,
    notes_of,
    schedules_of,
    tasks_of,
)
from tests.support.scheduling import attach
from tests.support.task_events import record, stream_of


@pytest.fixture
async def here() -> Scheduler:
    return await scheduler(World())


async def test_a_schedule_makes_a_task_at_each_due_time(here: Scheduler) -> None:
    schedules = schedules_of(here)
    assert await schedules.set(EVERY_MINUTE) == Done(detail="set")

    for _ in range(3):
        here.clock.passes(60)
        await schedules.fire_due()
        await schedules.fire_due()

    tasks = await tasks_of(here)
    assert [task.message_id for task in tasks] == [
        "digest@2026-01-01T12:01:00Z",
        "digest@2026-01-01T12:02:00Z",
        "digest@2026-01-01T12:03:00Z",
    ]
    assert {(t.schedule, t.tenant, t.family) for t in tasks} == {("digest", "acme", "summarize")}
    assert [task.deadline for task in tasks if task.deadline] == [t.at + 30 for t in tasks]
    assert await here.blobs.get("acme", tasks[0].payload) == b"a text"
    (row,) = schedule_rows(here.pool, ListSchedules())
    assert (row.fired, row.missed, row.last_due) == (3, 0, here.clock.now)
    assert row.next_due == here.clock.now + 60


async def test_many_schedules_may_be_due_at_once(here: Scheduler) -> None:
    schedules = schedules_of(here)
    names = [f"s-{number}" for number in range(AT_ONCE + 10)]
    for name in names:
        await schedules.set(changed(name=name))
    here.clock.passes(60)

    await schedules.fire_due()

    assert sorted(task.schedule for task in await tasks_of(here)) == sorted(names)
    assert {row.fired for row in schedule_rows(here.pool, ListSchedules())} == {1}


async def test_what_is_not_due_is_waited_for(here: Scheduler) -> None:
    schedules = schedules_of(here)
    await schedules.set(EVERY_MINUTE)
    here.clock.passes(45)

    assert await schedules.fire_due() == 15
    assert await tasks_of(here) == []


async def test_another_leader_goes_on_where_the_last_one_was() -> None:
    world = World()
    first = await scheduler(world)
    await schedules_of(first).set(EVERY_MINUTE)
    world.clock.passes(60)
    await schedules_of(first).fire_due()

    second = await scheduler(world)
    await schedules_of(second).fire_due()
    world.clock.passes(60)
    await schedules_of(second).fire_due()

    assert len(await tasks_of(second)) == 2


async def test_a_leader_that_died_before_it_noted_a_task_makes_no_second_one() -> None:
    world = World()
    first = await scheduler(world)
    schedules = schedules_of(first)
    await schedules.set(EVERY_MINUTE)
    world.clock.passes(60)
    accepted = asyncio.Event()

    def die(*_: object) -> None:
        if any(task.accepted.schedule for task in first.pool.tasks.values()):
            world.store.failure = "the process was killed"
            accepted.set()

    alive_again = world.store.on_commit(die)
    await schedules.fire_due()
    assert accepted.is_set()
    alive_again()
    world.store.failure = None
    await world.store.prune_inbox(keep_s=-1)
    world.clock.passes(3 * 60)

    second = await scheduler(world)
    await schedules_of(second).fire_due()

    tasks = await tasks_of(second)
    assert [task.message_id[-9:] for task in tasks] == ["12:01:00Z", "12:04:00Z"]
    assert [(note.due - tasks[0].at, note.missed) for note in await notes_of(second)] == [
        (0, 0),
        (180, 2),
    ]


@pytest.mark.parametrize(
    ("missed", "made", "late"), [(MissedTimes.ONCE, 1, 300), (MissedTimes.SKIP, 0, 300)]
)
async def test_of_the_times_that_nobody_led_one_is_made_up_for_or_none(
    here: Scheduler, missed: MissedTimes, made: int, late: float
) -> None:
    schedules = schedules_of(here)
    await schedules.set(changed(cron="*/10 * * * *", missed=missed))
    here.clock.passes(3 * 600 + late)

    await schedules.fire_due()

    (note,) = await notes_of(here)
    assert len(await tasks_of(here)) == made
    assert (note.due, isinstance(note, ScheduleFired)) == (here.clock.now - late, bool(made))
    assert note.missed + made == 3
    (row,) = schedule_rows(here.pool, ListSchedules(tenant="acme"))
    assert (row.fired, row.missed) == (made, 3 - made)
    assert row.last_missed.startswith("" if made else "not_in_time: ")


async def test_under_skip_a_take_over_is_not_too_late(here: Scheduler) -> None:
    schedules = schedules_of(here)
    await schedules.set(changed(cron="*/10 * * * *", missed=MissedTimes.SKIP))
    here.clock.passes(605)

    await schedules.fire_due()

    assert len(await tasks_of(here)) == 1


async def test_a_refused_task_is_noted_and_not_tried_again(here: Scheduler) -> None:
    schedules = schedules_of(here)
    template = TaskTemplate(family="summarize", priority_class=PriorityClass.BACKGROUND)
    await schedules.set(changed(template=template))
    await record(here.store, stream_of(uuid4(), [level_changed(Level.SHED, at=here.clock.now)]))
    here.clock.passes(60)

    await schedules.fire_due()
    await schedules.fire_due()

    (note,) = await notes_of(here)
    assert isinstance(note, ScheduleMissed)
    assert (note.code, note.missed) == ("shed", 1)
    assert await tasks_of(here) == []


async def test_a_log_that_does_not_answer_is_asked_again() -> None:
    world = World()
    here = await scheduler(world)
    schedules = schedules_of(here)
    await schedules.set(EVERY_MINUTE)
    world.clock.passes(60)
    world.store.failure = "disk full"

    in_vain = await schedules.fire_due()
    world.store.failure = None
    await schedules.fire_due()

    assert 0 < in_vain < 5
    assert len(await tasks_of(here)) == 1


async def test_a_schedule_follows_the_clocks_of_its_zone(here: Scheduler) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    here.clock.now = datetime(2026, 3, 28, 12, tzinfo=berlin).timestamp()
    schedules = schedules_of(here)
    await schedules.set(changed(cron="30 2 * * *", timezone="Europe/Berlin"))

    for _ in range(48):
        here.clock.passes(3600)
        await schedules.fire_due()

    due = [note.due for note in await notes_of(here)]
    assert [f"{datetime.fromtimestamp(each, berlin):%d %H:%M}" for each in due] == [
        "29 03:00",
        "30 02:30",
    ]


@asynccontextmanager
async def running(schedules: Schedules) -> AsyncGenerator[None]:
    task = asyncio.ensure_future(schedules.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_schedule_that_is_set_while_nothing_is_due_is_noticed(here: Scheduler) -> None:
    schedules = schedules_of(here)
    async with running(schedules):
        here.clock.now += 59.99
        await schedules.set(EVERY_MINUTE)
        here.clock.now += 0.02

        await wait_until(lambda: bool(here.pool.tasks))


async def test_a_warm_up_asks_for_its_load_once_whoever_leads() -> None:
    world = World()
    first = await scheduler(world)
    await first.leader.attach(attach(loading_offer()))
    schedules = schedules_of(first)
    warm = changed(template=None, payload=b"", warm_up=WarmUp("fast"))
    assert await schedules.set(warm) == Done(detail="set")
    world.clock.passes(60)

    await schedules.fire_due()
    await schedules.fire_due()
    second = await scheduler(world)
    await schedules_of(second).fire_due()

    (fired,) = await notes_of(second)
    (asked,) = [e for e in await second.history() if isinstance(e, ResidencyAsked)]
    assert isinstance(fired, ScheduleFired)
    assert (asked.variant, asked.by, asked.at) == ("fast", "schedule digest", fired.at)
    (row,) = schedule_rows(second.pool, ListSchedules())
    assert (row.family, row.warm_up, row.warm_up_device, row.fired) == ("", "fast", "", 1)


async def test_many_warm_ups_may_be_due_at_once(here: Scheduler) -> None:
    offers = [loading_offer(f"gpu-{n}") for n in range(20)]
    await here.leader.attach(attach(*offers))
    schedules = schedules_of(here)
    for n, each in enumerate(offers):
        warm_up = WarmUp("fast", each.device)
        await schedules.set(changed(name=f"s-{n}", template=None, payload=b"", warm_up=warm_up))
    here.clock.passes(60)

    assert await schedules.fire_due() > 1

    asked = [e.device for e in await here.history() if isinstance(e, ResidencyAsked)]
    assert sorted(asked) == sorted(each.device for each in offers)
