"""Schedules are set and removed by commands; what they need is kept as long as they stand."""

import asyncio
from typing import Any

import msgspec
import pytest

from pointsman.contracts.commands import Answer, Done, Rejected, Unavailable
from pointsman.contracts.events import (
    ScheduleRemoved,
    ScheduleSet,
    TaskTemplate,
    WarmUp,
)
from pointsman.contracts.message import BlobRef
from pointsman.contracts.schedules import (
    ListSchedules,
    PauseSchedule,
    RemoveSchedule,
    ResumeSchedule,
)
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import BlobsUnavailableError
from pointsman.scheduler.leading.blob_keeping import keep_blobs
from pointsman.scheduler.leading.pool_rows import schedule_rows
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.support.leading import Scheduler, World, scheduler
from tests.support.schedules import (
    EVERY_MINUTE,
    changed,
    loading_offer,
    schedules_of,
    tasks_of,
)
from tests.support.scheduling import attach, offer


class FullBlobs(MemoryBlobs):
    """A blob store whose disk is full."""

    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        raise BlobsUnavailableError("no space left")


@pytest.fixture
async def here() -> Scheduler:
    return await scheduler(World())


async def test_setting_it_again_changes_it_and_repeating_changes_nothing(here: Scheduler) -> None:
    schedules = schedules_of(here)
    await schedules.set(EVERY_MINUTE)
    here.clock.passes(90)

    again = await schedules.set(EVERY_MINUTE)
    other = await schedules.set(changed(cron="0 13 * * *", payload=b"another text"))
    await schedules.fire_due()

    assert (again, other) == (Done(detail="set like that already"), Done(detail="set"))
    sets = [event for event in await here.history() if isinstance(event, ScheduleSet)]
    assert [event.cron for event in sets] == ["* * * * *", "0 13 * * *"]
    assert await tasks_of(here) == [], "what was due before is not its own any more"


async def test_a_removed_schedule_makes_no_tasks(here: Scheduler) -> None:
    schedules = schedules_of(here)
    await schedules.set(EVERY_MINUTE)
    remove = RemoveSchedule(
        command_id="r-1", tenant="acme", name="digest", by="cli:ada", reason="done"
    )

    removed, again = await schedules.remove(remove), await schedules.remove(remove)
    here.clock.passes(60)
    await schedules.fire_due()

    assert (removed, again) == (Done(detail="removed"), Done(detail="there is no such schedule"))
    (event,) = [e for e in await here.history() if isinstance(e, ScheduleRemoved)]
    assert (event.by, event.reason) == ("cli:ada", "done")
    assert await tasks_of(here) == []


async def test_a_paused_schedule_makes_no_tasks_until_it_resumes(here: Scheduler) -> None:
    schedules = schedules_of(here)
    await schedules.set(EVERY_MINUTE)
    said = {"by": "cli:ada", "reason": "a drill", "tenant": "acme", "name": "digest"}

    paused = await schedules.steer(PauseSchedule(command_id="p-1", **said))
    here.clock.passes(90)
    wait_s = await schedules.fire_due()
    (row,) = schedule_rows(here.pool, ListSchedules())
    none = await tasks_of(here)
    resumed = await schedules.steer(ResumeSchedule(command_id="p-2", **said))
    here.clock.passes(60)
    await schedules.fire_due()

    assert (paused, resumed) == (
        Done(detail="nothing is due until it resumes"),
        Done(detail="it goes on with its next due time"),
    )
    assert (none, len(await tasks_of(here))) == ([], 1)
    assert (row.paused, row.next_due) == ("cli:ada: a drill", None)
    assert wait_s > 1, "a pause must not keep the loop busy"


async def test_a_schedule_whose_tasks_no_device_could_run_now_says_so(here: Scheduler) -> None:
    await here.leader.attach(attach(offer(variants=("label",))))

    answer = await schedules_of(here).set(EVERY_MINUTE)

    assert isinstance(answer, Done)
    assert answer.detail.startswith("set, and its tasks would be refused now: no device of pool")
    assert ("acme", "digest") in here.pool.timetable, "a device may be attached by then"


async def test_a_warm_up_that_no_device_could_ever_hold_is_refused(here: Scheduler) -> None:
    small = msgspec.structs.replace(loading_offer(), memory_mib=1.0)
    await here.leader.attach(attach(small))
    wanted = changed(template=None, payload=b"", warm_up=WarmUp("fast"))

    answer = await schedules_of(here).set(wanted)

    assert isinstance(answer, Rejected)
    assert (answer.code, "gpu-0, has 1 MiB" in answer.message) == ("not_loadable", True)


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"cron": "every day"}, "cron_invalid"),
        ({"timezone": "Berlin"}, "unknown_timezone"),
        ({"template": TaskTemplate(family="translate")}, "unknown_family"),
        ({"template": TaskTemplate(family="auto")}, "family_needed"),
        ({"template": TaskTemplate(family="summarize", model="large")}, "unknown_model"),
        ({"payload": b"a" * (512 * 1024 + 1)}, "payload_too_large"),
    ],
)
async def test_a_schedule_that_could_make_no_task_is_refused(
    here: Scheduler, wishes: dict[str, object], code: str
) -> None:
    answer: Answer = await schedules_of(here).set(changed(**wishes))

    assert isinstance(answer, Rejected)
    assert (answer.code, bool(answer.next)) == (code, True)
    assert here.pool.timetable == {}


async def test_the_payload_of_a_schedule_is_used_as_long_as_it_stands(here: Scheduler) -> None:
    used: list[str] = []

    class Noted:
        async def use(self, contents: Any) -> None:  # noqa: ANN401 - the port's
            used.extend(ref.digest for _, ref in contents)

        async def sweep(self) -> int:
            return 0

    await schedules_of(here).set(EVERY_MINUTE)
    keeping = asyncio.ensure_future(keep_blobs(here.pool, Noted(), every_s=0.001, first_s=0))
    try:
        await wait_until(lambda: len(used) > 1)
    finally:
        keeping.cancel()

    (schedule,) = here.pool.timetable.values()
    assert schedule.terms.payload is not None
    assert set(used) == {schedule.terms.payload.digest}


async def test_a_full_disk_is_said_to_who_sets_a_schedule() -> None:
    here = await scheduler(World(blobs=FullBlobs()))

    assert isinstance(await schedules_of(here).set(EVERY_MINUTE), Unavailable)
