"""Decisions about loads, parts, breakers and schedules are made again as well."""

import random
from collections.abc import Sequence
from typing import Final

import msgspec
import pytest

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode, WarmUp
from pointsman.contracts.leases import Outcome, RunCancelled, RunFailed, RunTimedOut
from pointsman.contracts.steering import HoldTask, ReleaseTask
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.log_rows import LogRow
from pointsman.time_machine.replay.verification import Verification
from tests.support.failing import MODEL_ERROR, fail
from tests.support.leading import World, leading, scheduler
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.log_rows import rows_of
from tests.support.schedules import EVERY_MINUTE, changed, loading_offer, schedules_of
from tests.support.scheduling import NOON, Entry, attach, attached, given, model
from tests.support.splitting import EXECUTORS, LIMIT, Splitting, done

GOES_ILL: Final[Sequence[Outcome]] = (
    RunFailed(code="unavailable", message="refused", retryable=True),
    RunFailed(code="unavailable", message="gone", retryable=True, device_lost=True),
    RunTimedOut(run_s=2.0),
    RunCancelled(),
)


def verified(rows: Sequence[LogRow]) -> Verification:
    verification = Verification("main")
    verification.take(rows)
    verification.end()
    return verification


def kinds(entries: Sequence[Entry]) -> set[type[Decision]]:
    return {type(entry.event) for entry in entries}


def test_loads_drains_holds_and_failed_loads_are_decided_again() -> None:
    models = [loading_model("a"), loading_model("b"), loading_model("c", load_s=5.0)]
    devices = {
        "gpu-0": DeviceMode.DEDICATED,
        "gpu-1": DeviceMode.DEDICATED,
        "gpu-2": DeviceMode.SHARED,
    }
    broken = frozenset({("gpu-0", "a")})
    world = LoadingWorld(models, devices, memory_mib=220.0, broken=broken, verify=False)
    world.unload_s = {"a": 1.3, "c": 0.7}
    for n in range(80):
        deadline_in_s = 300.0 if n % 5 == 0 else None
        world.submit(
            "aabbbc"[n % 6],
            at_s=4.0 * n,
            run_s=3.0 + n % 20,
            tenant=f"tenant-{n % 3}",
            deadline_in_s=deadline_in_s,
        )
    world.run()
    entries = world.history.entries

    again = verified(rows_of(entries))

    # Nobody decided the acceptances of this world.
    made_up = sum(isinstance(entry.event, events.TaskAccepted) for entry in entries)
    assert again.different == made_up
    assert again.verified == len(entries) - made_up
    assert {
        events.ResidencyGranted,
        events.ResidencyChanged,
        events.ResidencyFailed,
        events.SlotHeld,
    } <= kinds(entries)


def a_day_of_parts(seed: int) -> Splitting:
    draws, world = random.Random(seed), Splitting()
    for _ in range(120):
        match draws.choices(range(8), weights=(20, 30, 30, 12, 4, 4, 3, 10))[0]:
            case 0:
                world.submit(draws.choice([LIMIT, LIMIT + 1, 5 * LIMIT]))
            case 1:
                world.round()
            case 2 if world.granted:
                task, granted = draws.choice(world.granted)
                world.report(task, granted, done(granted, draws.randint(1, 4)))
            case 3 if world.granted:
                world.report(*draws.choice(world.granted), draws.choice(GOES_ILL))
            case 4 if world.pool.tasks:
                world.cancel(draws.choice(list(world.pool.tasks)))
            case 5:
                draws.choice([world.restart, world.falls_silent])(draws.choice(EXECUTORS))
            case 6 if world.wholes:
                whole = draws.choice(world.wholes)
                verb = draws.choice([HoldTask, ReleaseTask])
                world.steer(verb(command_id="steer", task=whole, by="ada", reason="why not"))
            case _:
                world.now += draws.choice([0.125, 1.0, 31.0])
    return world


@pytest.mark.parametrize("seed", range(4))
def test_tasks_that_run_in_parts_are_decided_again(seed: int) -> None:
    entries = a_day_of_parts(seed).history.entries

    again = verified(rows_of(entries))

    assert again.differences == []
    assert again.decisions == again.verified == len(entries)
    assert {events.PartsGranted, events.TaskSplit} <= kinds(entries)


def test_what_a_torn_commit_lacks_is_decided_again() -> None:
    world = Splitting()
    world.submit(5 * LIMIT)
    world.round()
    world.works(parts=3)
    world.loses_the_end(2)
    world.now += 1
    world.round()
    entries = world.history.entries

    again = verified(rows_of(entries))

    assert sum(isinstance(entry.event, events.TaskAccepted) for entry in entries) == 4
    assert (again.differences, again.verified) == ([], len(entries))


def test_breakers_are_decided_again() -> None:
    history = given(model(), attached(slots=4))
    fail(history, range(1, 6), at=NOON + 1, outcome=MODEL_ERROR)
    history.round(NOON + 2)
    entries = history.entries

    again = verified(rows_of(entries))

    made_up = sum(isinstance(entry.event, events.TaskAccepted) for entry in entries)
    assert events.BreakerOpened in kinds(entries)
    assert (again.different, again.verified) == (made_up, len(entries) - made_up)


async def test_schedules_and_what_they_make_are_decided_again() -> None:
    world = World()
    async with leading(world, slots=3) as here:
        schedules = schedules_of(here)
        await schedules.set(EVERY_MINUTE)
        for seconds in (61.0, 60.0, 600.0):
            world.clock.passes(seconds)
            await schedules.fire_due()

    again, found = await verified_log(world)

    assert {events.ScheduleSet, events.ScheduleFired, events.TaskAccepted} <= found
    assert again.differences == []
    assert again.not_redecided == {"pool.leader_elected.v1": 1}


async def test_warm_ups_and_those_that_were_missed_are_decided_again() -> None:
    world = World()
    here = await scheduler(world)
    await here.leader.attach(attach(loading_offer()))
    schedules = schedules_of(here)
    warm = changed(template=None, payload=b"", warm_up=WarmUp("fast"))
    await schedules.set(msgspec.structs.replace(warm, cron="0 * * * *"))
    for seconds in (3_600.0, 3_605.0, 4_500.0):
        world.clock.passes(seconds)
        await schedules.fire_due()

    again, found = await verified_log(world)

    assert {events.ScheduleFired, events.ScheduleMissed, events.ResidencyAsked} <= found
    assert again.differences == []
    assert again.not_redecided == {"pool.leader_elected.v1": 1}


async def verified_log(world: World) -> tuple[Verification, set[type[Decision]]]:
    """The log of a world, decided again, and the kinds of events in it."""
    rows: list[LogRow] = [
        (e.position, e.stream.hex, e.version, e.type, e.time_us, bytes(e.data))
        for e in await world.store.read(0)
    ]
    codec = EventCodec()
    return verified(rows), {type(codec.decode(row[3], row[5])) for row in rows}
