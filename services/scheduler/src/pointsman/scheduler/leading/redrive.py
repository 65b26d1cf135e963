"""Dead letters that are submitted again when somebody asks."""

from uuid import UUID

import msgspec

from pointsman.contracts import subjects
from pointsman.contracts.commands import Accepted, Answer, Duplicate, RedriveDeadLetter, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import DeadLetterRecorded, DeadLetterRedriven
from pointsman.contracts.message import BlobRef
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import EventStore
from pointsman.runtime.blobs import BlobCorruptError, BlobMissingError, Blobs
from pointsman.runtime.clock import Clock
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.inbox_message import read_inbox_message
from pointsman.scheduler.leading.submissions import Submissions


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
        if letter.subject != subjects.inbox(subjects.tenant_of_inbox(letter.subject)):
            return Rejected(
                code="not_redrivable",
                message=f"only tasks can be redriven; this is a message on {letter.subject}",
                next="its sender sends it again under a new id",
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
