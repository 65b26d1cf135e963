"""Requests on the bus: translated, handed on, answered. Nothing is decided here."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import UUID

from faststream import ContextRepo
from faststream.message import StreamMessage
from faststream.middlewares import BaseMiddleware
from faststream.nats import NatsRouter
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.bulk import CancelBulk
from pointsman.contracts.commands import (
    Answer,
    ArchiveTasks,
    CancelTask,
    PrepareTask,
    RedriveDeadLetter,
    Rejected,
    SubmitTask,
)
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Renewal,
    ReportAnswer,
    ResidencyReport,
)
from pointsman.contracts.queries import (
    AskLog,
    AskPool,
    DeadLetterRow,
    DeviceRow,
    ListDeadLetters,
    ListEvents,
    ListTasks,
    LogRow,
    ModelRow,
    OneTask,
    PoolRow,
    TaskRow,
    Why,
)
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.schedules import ListSchedules, RemoveSchedule, ScheduleRow, SetSchedule
from pointsman.contracts.steering import (
    DeviceSteering,
    PauseRow,
    PoolSteering,
    SetTenant,
    TaskSteering,
    TenantRow,
)
from pointsman.runtime.broker import RefusedError, body_decoder
from pointsman.scheduler.leading.archive import TaskArchive
from pointsman.scheduler.leading.lead import Lead
from pointsman.scheduler.leading.pool_leader import PoolLeader
from pointsman.scheduler.leading.preview import Preview
from pointsman.scheduler.leading.questions import Questions
from pointsman.scheduler.leading.redrive import Redrive
from pointsman.scheduler.leading.schedules import Schedules
from pointsman.scheduler.leading.steering import SteeringDesk
from pointsman.scheduler.leading.submissions import Submissions

_SERVICE: Final = "scheduler"

Row = TypeVar("Row", TaskRow, Why)


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


def build_query_router(questions: Questions, lead: Lead) -> NatsRouter:
    """Questions; see `pointsman.contracts.queries` for the table."""

    def giving_way(msg: Msg | None, /, *, context: ContextRepo) -> _GivingWay:
        return _GivingWay(msg, context, lead)

    router = NatsRouter(middlewares=[giving_way])
    _ask_about_log(router, questions)
    _ask_about_pool(router, questions)
    return router


def build_preview_router(preview: Preview) -> NatsRouter:
    """What would become of a task; decided as for a submission, and not recorded."""
    router = NatsRouter()

    @router.subscriber(subjects.query(_SERVICE, "preview"), decoder=body_decoder(SubmitTask))
    async def look_ahead(task: SubmitTask) -> TaskAccepted:
        decided = preview.of(task)
        if isinstance(decided, Rejected):
            raise RefusedError(decided)
        return decided

    return router


def _ask_about_log(router: NatsRouter, questions: Questions) -> None:
    @router.subscriber(subjects.query(_SERVICE, "tasks"), decoder=body_decoder(ListTasks))
    async def tasks(asked: ListTasks) -> list[TaskRow]:
        return await questions.tasks(asked)

    @router.subscriber(subjects.query(_SERVICE, "task"), decoder=body_decoder(OneTask))
    async def task(asked: OneTask) -> TaskRow:
        return _found(await questions.task(asked.task), asked.task)

    @router.subscriber(subjects.query(_SERVICE, "why"), decoder=body_decoder(OneTask))
    async def why(asked: OneTask) -> Why:
        return _found(await questions.why(asked.task), asked.task)

    @router.subscriber(subjects.query(_SERVICE, "events"), decoder=body_decoder(ListEvents))
    async def events(asked: ListEvents) -> list[Recorded]:
        return await questions.events(asked)

    @router.subscriber(
        subjects.query(_SERVICE, "dead_letters"), decoder=body_decoder(ListDeadLetters)
    )
    async def dead_letters(asked: ListDeadLetters) -> list[DeadLetterRow]:
        return await questions.dead_letters(asked)

    @router.subscriber(subjects.query(_SERVICE, "log"), decoder=body_decoder(AskLog))
    async def log(_asked: AskLog) -> LogRow:
        return await questions.log()


def _ask_about_pool(router: NatsRouter, questions: Questions) -> None:
    @router.subscriber(subjects.query(_SERVICE, "schedules"), decoder=body_decoder(ListSchedules))
    async def schedules(asked: ListSchedules) -> list[ScheduleRow]:
        return questions.schedules(asked)

    @router.subscriber(subjects.query(_SERVICE, "models"), decoder=body_decoder(AskPool))
    async def models(_asked: AskPool) -> list[ModelRow]:
        return questions.models()

    @router.subscriber(subjects.query(_SERVICE, "devices"), decoder=body_decoder(AskPool))
    async def devices(_asked: AskPool) -> list[DeviceRow]:
        return questions.devices()

    @router.subscriber(subjects.query(_SERVICE, "pool"), decoder=body_decoder(AskPool))
    async def pool(_asked: AskPool) -> PoolRow:
        return questions.pool()

    @router.subscriber(subjects.query(_SERVICE, "tenants"), decoder=body_decoder(AskPool))
    async def tenants(_asked: AskPool) -> list[TenantRow]:
        return questions.tenants()

    @router.subscriber(subjects.query(_SERVICE, "pauses"), decoder=body_decoder(AskPool))
    async def pauses(_asked: AskPool) -> list[PauseRow]:
        return questions.pauses()


class _GivingWay(BaseMiddleware[Any, Any]):
    """A leader in doubt answers what it remembers, after whoever leads without doubt."""

    def __init__(self, msg: Msg | None, context: ContextRepo, lead: Lead) -> None:
        super().__init__(msg, context=context)
        self._lead = lead

    async def consume_scope(
        self, call_next: Callable[[Any], Awaitable[object]], msg: StreamMessage[Msg]
    ) -> object:
        await self._lead.give_way()
        return await call_next(msg)


def _found(row: Row | None, task: UUID) -> Row:
    if row is None:
        raise RefusedError(
            Rejected(
                code="no_such_task",
                message=f"no task {task} was ever accepted here",
                next="`pointsman task ls` shows the tasks",
            )
        )
    return row
