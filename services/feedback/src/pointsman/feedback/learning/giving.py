"""Ratings on their way in, whichever door they came through."""

import hashlib
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.commands import (
    Answer,
    Done,
    Rejected,
    Unavailable,
    decode_answer,
    encode_answer,
)
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import FeedbackGiven
from pointsman.contracts.feedback import GiveFeedback
from pointsman.contracts.message import BlobRef
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import TaskState
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import (
    AppendAnswer,
    Appended,
    Command,
    DuplicateCommand,
    LogUnavailableError,
)
from pointsman.feedback import telemetry
from pointsman.feedback.domain.learned import Learned
from pointsman.feedback.domain.ratings import Rating, wrong_rating
from pointsman.feedback.ports import RatedTask, TaskFacts
from pointsman.runtime.blobs import Blobs, BlobsUnavailableError, digest
from pointsman.runtime.clock import Clock

NOT_COMPLETED: Final = "task_not_completed"
"""The code of a rating that came too early; the same one is welcome later."""

_CONSUMER: Final = "feedback"
_MEDIA_TYPE: Final = "text/plain; charset=utf-8"
_CATCH_UP_S: Final = 2.0
_RETRY_AFTER_S: Final = 1.0
_ID_REUSED: Final = Rejected(
    code="id_reused",
    message="another rating came under this id before",
    next="use a new id for a new rating",
)


class Giving:
    """Records ratings once per (door, tenant, sender, id), however often they come."""

    def __init__(
        self, own: OwnEvents, learned: Learned, tasks: TaskFacts, blobs: Blobs, clock: Clock
    ) -> None:
        self._own = own
        self._learned = learned
        self._tasks = tasks
        self._blobs = blobs
        self._clock = clock

    async def give(self, command: GiveFeedback, *, sender: str = "") -> Answer:
        """Answered with `Done` and the id of the rating.

        `sender` tells whose id it is where several give them.
        """
        try:
            answer = await self._give(command, f"{sender} {command.command_id}".strip())
        except (LogUnavailableError, BlobsUnavailableError) as error:
            answer = Unavailable(retry_after_s=_RETRY_AFTER_S, message=str(error))
        status = str(answer.__struct_config__.tag)
        telemetry.RATINGS.add(1, {"kind": command.kind.value, "status": status})
        return answer

    async def _give(self, command: GiveFeedback, identity: str) -> Answer:
        wrong = wrong_rating(command)
        if wrong is not None:
            return wrong
        rating = stream_id("rating", identity, command.tenant)
        known = self._learned.ratings.get(rating)
        if known is not None:
            return _repeated(known, command)
        task = await self._rated(command)
        if not isinstance(task, RatedTask):
            return task
        comment = None
        if command.comment:
            words = command.comment.encode(errors="replace")
            comment = await self._blobs.put(command.tenant, words, _MEDIA_TYPE)
        return await self._record(command, identity, rating, task, comment)

    async def _rated(self, command: GiveFeedback) -> RatedTask | Answer:
        task = await self._tasks.task(command.task)
        if task is None or task.state is TaskState.QUEUED:
            # Whoever was told that the task has completed may be ahead of the view.
            current = await self._tasks.up_to_date(timeout_s=_CATCH_UP_S)
            task = await self._tasks.task(command.task)
            if not current and (task is None or task.state is TaskState.QUEUED):
                return Unavailable(
                    retry_after_s=_RETRY_AFTER_S,
                    message="the view of tasks is behind the log and may not know this one yet",
                )
        if task is None or task.tenant != command.tenant:
            return Rejected(
                code="no_such_task",
                message=f"tenant {command.tenant} has no task {command.task}",
                next="`pointsman task ls` shows the tasks",
            )
        return task if task.state is TaskState.COMPLETED else _without_result(task)

    async def _record(
        self,
        command: GiveFeedback,
        identity: str,
        rating: UUID,
        task: RatedTask,
        comment: BlobRef | None,
    ) -> Answer:
        given = FeedbackGiven(
            at=self._clock.wall(),
            applied_to=self._own.position,
            rating=str(rating),
            task=str(command.task),
            family=task.family,
            variant=task.variant,
            kind=command.kind.value,
            value=_number(command),
            comment=comment,
            by=command.by,
            source=command.source,
            pool=task.pool,
            conversation=task.conversation,
        )
        done = Done(detail=str(rating))
        once = Command(
            consumer=_CONSUMER,
            tenant=command.tenant,
            message_id=identity,
            request_hash=hashlib.sha256(msgspec.json.encode(command)).digest(),
            reply=encode_answer(done),
        )
        decided = Decided(rating, 0, (given,), command.tenant)
        answer = await self._own.record(decided, once)
        if isinstance(answer, Appended):
            telemetry.evaluated(given)
            return done
        return self._refused(answer, rating, command)

    def _refused(self, answer: AppendAnswer, rating: UUID, command: GiveFeedback) -> Answer:
        """The same id came a moment ago, so that its rating was not known yet."""
        known = self._learned.ratings.get(rating)
        if known is not None:
            return _repeated(known, command)
        if isinstance(answer, DuplicateCommand):
            return decode_answer(answer.reply) if answer.same_request else _ID_REUSED
        return Unavailable(retry_after_s=_RETRY_AFTER_S, message="the rating was not recorded")


def _repeated(known: Rating, command: GiveFeedback) -> Answer:
    given, words = known.given, None
    if command.comment:
        words = digest(command.tenant, command.comment.encode(errors="replace"))
    before = given.comment.digest if given.comment is not None else None
    same = (given.task, given.kind, given.value, given.by, given.source, before) == (
        str(command.task),
        command.kind.value,
        _number(command),
        command.by,
        command.source,
        words,
    )
    return Done(detail=str(known.id)) if same else _ID_REUSED


def _number(command: GiveFeedback) -> float | None:
    return None if command.value is None else float(command.value)


def _without_result(task: RatedTask) -> Rejected:
    if task.state is TaskState.QUEUED:
        return Rejected(
            code=NOT_COMPLETED,
            message="the task has not completed yet",
            next="rate it after it completes",
        )
    return Rejected(
        code="task_without_result",
        message=f"the task has no result to rate: it is {task.state}",
        next="rate tasks that have completed",
    )
