"""Questions on the bus: handed on, answered. See `pointsman.contracts.queries` for the table."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import UUID

from faststream import ContextRepo
from faststream.message import StreamMessage
from faststream.middlewares import BaseMiddleware
from faststream.nats import NatsRouter
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.bulk import AskBulk, BulkRow
from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import TaskAccepted
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
from pointsman.contracts.schedules import ListSchedules, ScheduleRow
from pointsman.contracts.steering import PauseRow, TenantRow
from pointsman.runtime.broker import RefusedError, body_decoder
from pointsman.scheduler.leading.lead import Lead
from pointsman.scheduler.leading.preview import Preview
from pointsman.scheduler.leading.questions import Questions

_SERVICE: Final = "scheduler"

Row = TypeVar("Row", TaskRow, Why)


def build_query_router(pool: str, questions: Questions, lead: Lead) -> NatsRouter:
    """Questions to any leader, or to that of one pool; see `pointsman.contracts.queries`."""

    def giving_way(msg: Msg | None, /, *, context: ContextRepo) -> _GivingWay:
        return _GivingWay(msg, context, lead)

    router = NatsRouter(middlewares=[giving_way])
    for scope in (None, pool):
        _ask_about_log(router, questions, scope)
        _ask_about_pool(router, questions, scope)
    return router


def build_preview_router(pool: str, preview: Preview) -> NatsRouter:
    """What would become of a task; decided as for a submission, and not recorded."""
    router = NatsRouter()
    for scope in (None, pool):

        @router.subscriber(
            subjects.query(_SERVICE, "preview", scope), decoder=body_decoder(SubmitTask)
        )
        async def look_ahead(task: SubmitTask) -> TaskAccepted:
            decided = preview.of(task)
            if isinstance(decided, Rejected):
                raise RefusedError(decided)
            return decided

    return router


def _ask_about_log(router: NatsRouter, questions: Questions, pool: str | None) -> None:
    def query(verb: str) -> str:
        return subjects.query(_SERVICE, verb, pool)

    @router.subscriber(query("tasks"), decoder=body_decoder(ListTasks))
    async def tasks(asked: ListTasks) -> list[TaskRow]:
        return await questions.tasks(asked)

    @router.subscriber(query("task"), decoder=body_decoder(OneTask))
    async def task(asked: OneTask) -> TaskRow:
        return _found(await questions.task(asked.task), asked.task)

    @router.subscriber(query("why"), decoder=body_decoder(OneTask))
    async def why(asked: OneTask) -> Why:
        return _found(await questions.why(asked.task), asked.task)

    @router.subscriber(query("bulk"), decoder=body_decoder(AskBulk))
    async def bulk(asked: AskBulk) -> BulkRow:
        return await questions.bulk(asked)

    @router.subscriber(query("events"), decoder=body_decoder(ListEvents))
    async def events(asked: ListEvents) -> list[Recorded]:
        return await questions.events(asked)

    @router.subscriber(query("dead_letters"), decoder=body_decoder(ListDeadLetters))
    async def dead_letters(asked: ListDeadLetters) -> list[DeadLetterRow]:
        return await questions.dead_letters(asked)

    @router.subscriber(query("log"), decoder=body_decoder(AskLog))
    async def log(_asked: AskLog) -> LogRow:
        return await questions.log()


def _ask_about_pool(router: NatsRouter, questions: Questions, pool: str | None) -> None:
    def query(verb: str) -> str:
        return subjects.query(_SERVICE, verb, pool)

    @router.subscriber(query("schedules"), decoder=body_decoder(ListSchedules))
    async def schedules(asked: ListSchedules) -> list[ScheduleRow]:
        return questions.schedules(asked)

    @router.subscriber(query("models"), decoder=body_decoder(AskPool))
    async def models(_asked: AskPool) -> list[ModelRow]:
        return questions.models()

    @router.subscriber(query("devices"), decoder=body_decoder(AskPool))
    async def devices(_asked: AskPool) -> list[DeviceRow]:
        return questions.devices()

    @router.subscriber(query("pool"), decoder=body_decoder(AskPool))
    async def pool_row(_asked: AskPool) -> PoolRow:
        return questions.pool()

    @router.subscriber(query("tenants"), decoder=body_decoder(AskPool))
    async def tenants(_asked: AskPool) -> list[TenantRow]:
        return questions.tenants()

    @router.subscriber(query("pauses"), decoder=body_decoder(AskPool))
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
