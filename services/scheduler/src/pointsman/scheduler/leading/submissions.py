"""Submissions: payload into the blob store, decision into the log, once per command id."""

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from pointsman.contracts.commands import (
    MAX_PAYLOAD_BYTES,
    Accepted,
    Answer,
    Duplicate,
    NotLeader,
    Rejected,
    SubmitTask,
    Unavailable,
    decode_answer,
    encode_answer,
)
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskAccepted, TaskShed
from pointsman.contracts.message import BlobRef
from pointsman.contracts.refusals import SHED
from pointsman.eventstore.ports import (
    Appended,
    Command,
    DuplicateCommand,
    Fenced,
    Held,
    LogUnavailableError,
    VersionConflict,
)
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import Blobs, BlobsUnavailableError
from pointsman.runtime.clock import Clock
from pointsman.runtime.crashpoints import CrashPoint, crashpoint
from pointsman.scheduler import telemetry
from pointsman.scheduler.domain.admission.dependencies import NOTHING_FOUND
from pointsman.scheduler.domain.admission.routes import Seen
from pointsman.scheduler.domain.admission.submitting import (
    MAY_COME_LATER,
    decide_submit,
    refuse_submit,
)
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.lead import FencedError
from pointsman.scheduler.leading.past_tasks import PastTasks

_RETRY_AFTER_S: Final = 1.0


class Submissions:
    """The way in for tasks, whichever door they came through."""

    def __init__(
        self,
        pool: Pool,
        log: DecisionLog,
        blobs: Blobs,
        clock: Clock,
        *,
        past: PastTasks,
        no_room: Callable[[], Unavailable | None] = lambda: None,
        see: Callable[[SubmitTask], Seen | None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._past = past
        self._see = see
        self._no_room = no_room
        self._log = log
        self._blobs = blobs
        self._clock = clock
        self.shed: Counter[str] = Counter()
        """Submissions that the ladder refused, by family."""

    async def submit(
        self, task: SubmitTask, *, door: str, request: bytes = b"", sender: str = ""
    ) -> Answer:
        """Accept a task once per (door, tenant, sender, command id).

        `request` is what tells a repetition from another request under the same id, if that is
        not the command itself. `sender` tells whose id it is where several give them.
        """
        try:
            answer = await self._submit(task, (door, sender), request or _request(task))
        except FencedError:
            answer = NotLeader()
        except (LogUnavailableError, BlobsUnavailableError) as error:
            answer = Unavailable(retry_after_s=_RETRY_AFTER_S, message=str(error))
        if isinstance(answer, Rejected) and answer.code == SHED:
            self.shed[task.family] += 1
        telemetry.SUBMISSIONS.add(1, {"status": _status(answer)})
        return answer

    async def _submit(self, task: SubmitTask, door: tuple[str, str], request: bytes) -> Answer:
        await self._log.lead.give_way()
        self._log.lead.require()
        wrong = _wrong_payload(task)
        if wrong is not None:
            return wrong
        full = self._no_room()
        if full is not None:
            return await self._repetition(task, full.message, door, request) or full
        draft = payload_draft(task)
        # Looked at once, before the content is put away; what was seen is recorded.
        seen = self._see(task)
        unknown = self._pool.dependencies.unknown(task.depends_on)
        past = await self._past.find(unknown) if unknown else NOTHING_FOUND
        refusal = refuse_submit(
            self._pool, task, draft, at=self._clock.wall(), seen=seen, past=past
        )
        if refusal is not None:
            return await self._earlier(task, refusal, door, request) or refusal
        # The payload is on disk before the log promises anything about it.
        payload = draft
        if task.payload is not None:
            kind = BlobKind.PAYLOAD if task.conversation is None else BlobKind.KEPT
            payload = await self._blobs.put(task.tenant, task.payload, task.media_type, kind)

        def decide() -> TaskAccepted | Rejected:
            at = self._clock.wall()
            return decide_submit(self._pool, task, payload, at=at, seen=seen, past=past)

        return await self._accept(task, decide, door, request)

    async def _accept(
        self,
        task: SubmitTask,
        decide: Callable[[], TaskAccepted | Rejected],
        door: tuple[str, str],
        request: bytes,
    ) -> Answer:
        accepted = decide()
        if isinstance(accepted, Rejected):
            return await self._earlier(task, accepted, door, request) or accepted
        task_id = uuid7()
        command = _command(task, door, request, task_id)
        decided = Decided(task_id, 0, (accepted,), task.tenant)
        crashpoint(CrashPoint.BEFORE_APPEND_ACCEPTED)
        answer = await self._log.record(decided, command)
        crashpoint(CrashPoint.AFTER_APPEND_ACCEPTED)
        match answer:
            case Appended(positions=positions):
                return Accepted(task=task_id, position=positions[0])
            case DuplicateCommand(position=position, reply=reply, same_request=same_request):
                return _repeated(position, reply, same_request=same_request)
            case VersionConflict() | Fenced() | Held():
                detail = "a new task id was taken already"
                raise LogUnavailableError(detail)

    async def _earlier(
        self, task: SubmitTask, refusal: Rejected, door: tuple[str, str], request: bytes
    ) -> Answer | None:
        """What the same command was answered before it would have been refused."""
        if refusal.code not in MAY_COME_LATER:
            return None
        return await self._repetition(task, refusal.message, door, request)

    async def _repetition(
        self, task: SubmitTask, reason: str, door: tuple[str, str], request: bytes
    ) -> Answer | None:
        """What the same command was answered before; nothing is recorded."""
        stream = uuid7()
        at, applied_to = self._clock.wall(), self._pool.applied_to
        # The second version of a stream that has no first is never recorded; a command that is
        # known is answered before versions are looked at.
        never = TaskShed(at=at, applied_to=applied_to, reason=reason)
        asked = Decided(stream, 1, (never,), task.tenant)
        answer = await self._log.record(asked, _command(task, door, request, stream))
        if isinstance(answer, DuplicateCommand):
            return _repeated(answer.position, answer.reply, same_request=answer.same_request)
        return None


def payload_draft(task: SubmitTask) -> BlobRef:
    """The payload as far as admission looks at it, before it is stored."""
    size = len(task.payload or b"")
    return task.payload_ref or BlobRef(digest="", size=size, media_type=task.media_type)


def _command(task: SubmitTask, door: tuple[str, str], request: bytes, task_id: UUID) -> Command:
    return Command(
        consumer=door[0],
        tenant=task.tenant,
        message_id=f"{door[1]} {task.command_id}".strip(),
        request_hash=hashlib.sha256(request).digest(),
        reply=encode_answer(Accepted(task=task_id)),
    )


def _wrong_payload(task: SubmitTask) -> Rejected | None:
    if (task.payload is None) == (task.payload_ref is None):
        return Rejected(
            code="payload_missing",
            message="exactly one of payload and payload_ref must be given",
            next="send the bytes inline, or store them first and send the reference",
        )
    if task.payload is not None and len(task.payload) > MAX_PAYLOAD_BYTES:
        return Rejected(
            code="payload_too_large",
            message=f"{len(task.payload)} bytes, at most {MAX_PAYLOAD_BYTES} are taken inline",
            next="send a shorter input",
        )
    return None


def _repeated(position: int, reply: bytes, *, same_request: bool) -> Answer:
    earlier = decode_answer(reply)
    if not same_request:
        return Rejected(
            code="id_reused",
            message="another request came under this id before",
            next="use a new id for a new task",
        )
    if isinstance(earlier, Accepted):
        return Duplicate(task=earlier.task, position=position)
    return earlier


def _request(task: SubmitTask) -> bytes:
    # Tracing differs between repetitions of the same wish, and so do times that the sender counts
    # from now, and what spoke for a pool.
    plain = msgspec.structs.replace(
        task, traceparent=None, deadline=None, not_before=None, pool_choice=None
    )
    return msgspec.json.encode(plain)


def _status(answer: Answer) -> str:
    return str(answer.__struct_config__.tag)
