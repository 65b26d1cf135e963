"""Schedules as tests set them, and what a leader has made of them."""

from typing import Any, Final

import msgspec

from pointsman.contracts.events import (
    DeviceMode,
    Residency,
    ScheduleFired,
    ScheduleMissed,
    TaskAccepted,
    TaskTemplate,
)
from pointsman.contracts.leases import DeviceOffer
from pointsman.contracts.schedules import SetSchedule
from pointsman.scheduler.leading.schedules import Schedules
from pointsman.scheduler.leading.settling import Settling
from tests.support.leading import Scheduler
from tests.support.scheduling import offer

EVERY_MINUTE: Final = SetSchedule(
    command_id="set-1",
    tenant="acme",
    name="digest",
    cron="* * * * *",
    template=TaskTemplate(family="summarize", deadline_after_s=30.0),
    payload=b"a text",
    by="cli:ada",
)


def changed(**wishes: Any) -> SetSchedule:  # noqa: ANN401 - whatever a test changes
    return msgspec.structs.replace(EVERY_MINUTE, **wishes)


def loading_offer(device: str = "gpu-0") -> DeviceOffer:
    """A device that can load the model of the registry and has nothing."""
    loadable = (Residency(variant="fast", slots=1),)
    plain = offer(device, variants=())
    return msgspec.structs.replace(plain, mode=DeviceMode.DEDICATED, loadable=loadable)


def schedules_of(here: Scheduler) -> Schedules:
    return Schedules(here.pool, Settling(here.log), here.submissions, here.blobs, here.clock)


async def tasks_of(here: Scheduler) -> list[TaskAccepted]:
    return [event for event in await here.history() if isinstance(event, TaskAccepted)]


async def notes_of(here: Scheduler) -> list[ScheduleFired | ScheduleMissed]:
    return [e for e in await here.history() if isinstance(e, ScheduleFired | ScheduleMissed)]
