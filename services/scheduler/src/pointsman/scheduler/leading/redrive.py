"""Dead letters: set aside with their bytes, and submitted again when somebody asks."""

import hashlib
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts import subjects
from pointsman.contracts.commands import Accepted, Answer, Duplicate, RedriveDeadLetter, Rejected
from pointsman.contracts.events import DeadLetterRecorded, DeadLetterRedriven
from pointsman.contracts.message import BlobRef
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import EventStore
from pointsman.runtime.acknowledgement import DeadLetter
from pointsman.runtime.blobs import BlobCorruptError, BlobMissingError, Blobs
from pointsman.scheduler.domain.decided import Decided
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.inbox_message import read_inbox_message
from pointsman.scheduler.leading.submissions import Submissions
from pointsman.scheduler.ports import Clock

_MEDIA_TYPE: Final = "application/octet-stream"
_MAX_HEADER_CHARS: Final = 4_096
_MAX_DETAIL_CHARS: Final = 1_000


class DeadLetterBox:
    """Records dead letters; implements `pointsman.runtime.acknowledgement.DeadLetters`."""

    def __init__(self, pool: Pool, log: DecisionLog, blobs: Blobs, clock: Clock) -> None:
        self._pool = pool
        self._log = log
        self._blobs = blobs
        self._clock = clock

    async def record(self, letter: DeadLetter) -> None:
        """One stream per message, so recording it again changes nothing."""
        digest = hashlib.sha256(letter.body).hexdigest()
        stream = stream_id(
            "dead_letter", f"{letter.subject}/{letter.message_id}/{digest}", letter.tenant
        )
        body = await self._blobs.put(letter.tenant, letter.body, _MEDIA_TYPE)
        recorded = DeadLetterRecorded(
            at=self._clock.wall(),
            applied_to=self._pool.applied_to,
            subject=letter.subject,
            message_id=letter.message_id,
            code=letter.code,
            detail=letter.detail[:_MAX_DETAIL_CHARS],
            deliveries=letter.deliveries,
            headers=_bounded(letter),
            body=body,
        )
        await self._log.record(Decided(stream, 0, (recorded,), letter.tenant))


class Redrive:
    """Submits dead letters again, each at most once."""

    def __init__(
        self,
        store: EventStore,
        codec: EventCodec,
        log: DecisionLog,
        blobs: Blobs,
        submissions: Submissions,
        clock: Clock,
    ) -> None:
        self._store = store
        self._codec = codec
        self._log = log
        self._blobs = blobs
        self._submissions = submissions
        self._clock = clock

    async def redrive(self, command: RedriveDeadLetter) -> Answer:
        """The dead letter becomes a new task, or is refused again for the reason given."""
        history = await self._store.read_stream(command.dead_letter)
        events = [self._codec.decode(event.type, bytes(event.data)) for event in history]
        letter = events[0] if events else None
        if not isinstance(letter, DeadLetterRecorded) or letter.body is None:
            return Rejected(
                code="no_such_dead_letter",
                message=f"there is no dead letter {command.dead_letter} with its bytes",
                next="`pointsman dead ls` shows the dead letters",
            )
        for recorded, event in zip(history, events, strict=True):
            if isinstance(event, DeadLetterRedriven) and event.task is not None:
                return Duplicate(task=UUID(event.task), position=recorded.position)
        tenant = history[0].tenant
        answer = await self._submit(command.dead_letter, letter, letter.body, tenant)
        if isinstance(answer, Accepted | Duplicate):
            redriven = DeadLetterRedriven(
                at=self._clock.wall(),
                applied_to=history[-1].position,
                by=command.by,
                task=str(answer.task),
            )
            await self._log.record(Decided(command.dead_letter, len(history), (redriven,), tenant))
        return answer

    async def _submit(
        self, dead_letter: UUID, letter: DeadLetterRecorded, body: BlobRef, tenant: str
    ) -> Answer:
        try:
            request = read_inbox_message(
                tenant,
                letter.headers,
                await self._blobs.get(tenant, body),
                now=self._clock.wall(),
            )
        except (BlobMissingError, BlobCorruptError) as error:
            return Rejected(
                code=error.code,
                message=str(error),
                next="restore the blob store, or have the sender send the message again",
            )
        except ValueError as error:
            return Rejected(
                code=str(getattr(error, "code", "malformed")),
                message=str(error),
                next="the message itself is wrong; its sender must send a correct one",
            )
        task = msgspec.structs.replace(
            request.task, command_id=f"redrive-{dead_letter}", causation_id=str(dead_letter)
        )
        return await self._submissions.submit(
            task, door=subjects.INBOX_CONSUMER, request=request.identity
        )


def _bounded(letter: DeadLetter) -> dict[str, str]:
    return {name[:256]: value[:_MAX_HEADER_CHARS] for name, value in letter.headers.items()}
