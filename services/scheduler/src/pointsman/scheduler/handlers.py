"""Requests on the bus: translated, handed on, answered. Nothing is decided here."""

import asyncio
from typing import Final

from faststream.nats import NatsRouter

from pointsman.contracts import subjects
from pointsman.contracts.bulk import CancelBulk
from pointsman.contracts.commands import (
    Answer,
    ArchiveTasks,
    CancelTask,
    PrepareTask,
    RedriveDeadLetter,
    SubmitTask,
)
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.forwarding import ForwardTask
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Renewal,
    ReportAnswer,
    ResidencyReport,
)
from pointsman.contracts.queries import AskPool
from pointsman.contracts.schedules import RemoveSchedule, ScheduleSteering, SetSchedule
from pointsman.contracts.steering import DeviceSteering, PoolSteering, SetTenant, TaskSteering
from pointsman.contracts.telemetry import PoolSample
from pointsman.runtime.broker import body_decoder
from pointsman.scheduler.leading.archive import TaskArchive
from pointsman.scheduler.leading.group_door import GroupDoor
from pointsman.scheduler.leading.load_readings import LoadReader
from pointsman.scheduler.leading.pool_leader import PoolLeader
from pointsman.scheduler.leading.redrive import Redrive
from pointsman.scheduler.leading.schedules import Schedules
from pointsman.scheduler.leading.steering import SteeringDesk
from pointsman.scheduler.leading.submissions import Submissions
from pointsman.scheduler.question_handlers import build_preview_router, build_query_router

__all__ = [
    "build_archive_router",
    "build_command_router",
    "build_group_router",
    "build_preview_router",
    "build_query_router",
    "build_schedule_router",
    "build_steering_router",
]

_SERVICE: Final = "scheduler"


def build_command_router(
    pool: str, leader: PoolLeader, submissions: Submissions, redrive: Redrive
) -> NatsRouter:
    """Commands to the leader of a pool; each message is a pack of one verb."""
    router = NatsRouter()

    def command(verb: str) -> str:
        return subjects.command(_SERVICE, verb, pool)

    @router.subscriber(command("submit"), decoder=body_decoder(list[SubmitTask]))
    async def submit(tasks: list[SubmitTask]) -> list[Answer]:
        return await asyncio.gather(*(submissions.submit(t, door="command") for t in tasks))

    @router.subscriber(command("cancel"), decoder=body_decoder(list[CancelTask]))
    async def cancel(commands: list[CancelTask]) -> list[Answer]:
        return await asyncio.gather(*(leader.cancel(item) for item in commands))

    @router.subscriber(command("cancel_bulk"), decoder=body_decoder(list[CancelBulk]))
    async def cancel_bulk(commands: list[CancelBulk]) -> list[Answer]:
        return [await leader.bulks.cancel(item) for item in commands]

    @router.subscriber(command("prepare"), decoder=body_decoder(list[PrepareTask]))
    async def prepare(commands: list[PrepareTask]) -> list[Answer]:
        return await asyncio.gather(*(leader.prepare(item) for item in commands))

    @router.subscriber(command("redrive"), decoder=body_decoder(list[RedriveDeadLetter]))
    async def redrive_dead_letter(commands: list[RedriveDeadLetter]) -> list[Answer]:
        return [await redrive.redrive(item) for item in commands]

    _hear_executors(router, pool, leader)
    return router


def _hear_executors(router: NatsRouter, pool: str, leader: PoolLeader) -> None:
    def command(verb: str) -> str:
        return subjects.command(_SERVICE, verb, pool)

    @router.subscriber(command("report"), decoder=body_decoder(list[AttemptReport]))
    async def report(reports: list[AttemptReport]) -> list[ReportAnswer]:
        return await asyncio.gather(*(leader.report(item) for item in reports))

    @router.subscriber(command("checkpoint"), decoder=body_decoder(list[CheckpointReport]))
    async def checkpoint(reports: list[CheckpointReport]) -> list[ReportAnswer]:
        return await asyncio.gather(*(leader.checkpoint(item) for item in reports))

    @router.subscriber(command("residency"), decoder=body_decoder(list[ResidencyReport]))
    async def residency(reports: list[ResidencyReport]) -> list[ReportAnswer]:
        return await asyncio.gather(*(leader.residency(item) for item in reports))

    @router.subscriber(command("attach"), decoder=body_decoder(list[AttachExecutor]))
    async def attach(commands: list[AttachExecutor]) -> list[Answer]:
        return [await leader.attach(item) for item in commands]

    @router.subscriber(command("health"), decoder=body_decoder(list[DeviceHealth]))
    async def health(commands: list[DeviceHealth]) -> list[Answer]:
        return [await leader.health(item) for item in commands]

    @router.subscriber(subjects.renewals(pool), decoder=body_decoder(Renewal))
    async def renewed(renewal: Renewal) -> None:
        await leader.renewed(renewal)


def build_group_router(pool: str, door: GroupDoor, reader: LoadReader) -> NatsRouter:
    """What the pools of a group, and those who choose between them, ask of each other."""
    router = NatsRouter()

    @router.subscriber(
        subjects.command(_SERVICE, "forward", pool), decoder=body_decoder(list[ForwardTask])
    )
    async def forward(commands: list[ForwardTask]) -> list[Answer]:
        return await asyncio.gather(*(door.forwarded(item) for item in commands))

    @router.subscriber(subjects.query(_SERVICE, "load", pool), decoder=body_decoder(AskPool))
    async def load(_asked: AskPool) -> PoolSample:
        return reader.read()

    return router


def build_archive_router(pool: str, archive: TaskArchive) -> NatsRouter:
    """Commands about the log of a pool."""
    router = NatsRouter()

    @router.subscriber(
        subjects.command(_SERVICE, "archive", pool), decoder=body_decoder(list[ArchiveTasks])
    )
    async def archive_tasks(commands: list[ArchiveTasks]) -> list[Answer]:
        return [await archive.archive(item) for item in commands]

    return router


def build_schedule_router(pool: str, schedules: Schedules) -> NatsRouter:
    """Commands about schedules; see `pointsman.contracts.schedules` for the table."""
    router = NatsRouter()

    def command(verb: str) -> str:
        return subjects.command(_SERVICE, verb, pool)

    @router.subscriber(command("set_schedule"), decoder=body_decoder(list[SetSchedule]))
    async def set_schedule(commands: list[SetSchedule]) -> list[Answer]:
        return [await schedules.set(item) for item in commands]

    @router.subscriber(command("remove_schedule"), decoder=body_decoder(list[RemoveSchedule]))
    async def remove_schedule(commands: list[RemoveSchedule]) -> list[Answer]:
        return [await schedules.remove(item) for item in commands]

    @router.subscriber(command("steer_schedule"), decoder=body_decoder(list[ScheduleSteering]))
    async def steer_schedule(commands: list[ScheduleSteering]) -> list[Answer]:
        return [await schedules.steer(item) for item in commands]

    return router


def build_steering_router(pool: str, desk: SteeringDesk) -> NatsRouter:
    """Commands of operators; see `pointsman.contracts.steering` for the table."""
    router = NatsRouter()

    def command(verb: str) -> str:
        return subjects.command(_SERVICE, verb, pool)

    @router.subscriber(command("steer_task"), decoder=body_decoder(list[TaskSteering]))
    async def steer_task(commands: list[TaskSteering]) -> list[Answer]:
        return [await desk.steer(item) for item in commands]

    @router.subscriber(command("steer_pool"), decoder=body_decoder(list[PoolSteering]))
    async def steer_pool(commands: list[PoolSteering]) -> list[Answer]:
        return [await desk.steer(item) for item in commands]

    @router.subscriber(command("steer_device"), decoder=body_decoder(list[DeviceSteering]))
    async def steer_device(commands: list[DeviceSteering]) -> list[Answer]:
        return [await desk.steer(item) for item in commands]

    @router.subscriber(command("set_tenant"), decoder=body_decoder(list[SetTenant]))
    async def set_tenant(commands: list[SetTenant]) -> list[Answer]:
        return [await desk.steer(item) for item in commands]

    return router
