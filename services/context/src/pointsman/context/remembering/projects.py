"""Commands to write down decisions and preferences, each taken once."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.context.domain.project import MadeDecision, Preference, Project, project_id
from pointsman.contracts.commands import Answer, Done, Rejected, decode_answer, encode_answer
from pointsman.contracts.context import RecordDecision, RecordPreference
from pointsman.contracts.message import BlobRef
from pointsman.eventstore.aggregates import Repository
from pointsman.eventstore.ports import (
    Appended,
    Command,
    DuplicateCommand,
    LogUnavailableError,
)
from pointsman.runtime.blobs import Blobs
from pointsman.runtime.clock import Clock

_TRIES: Final = 5
_MEDIA_TYPE: Final = "text/plain; charset=utf-8"


class Projects:
    """Appends to projects; the first entry creates one."""

    def __init__(self, repository: Repository, blobs: Blobs, clock: Clock) -> None:
        self._repository = repository
        self._blobs = blobs
        self._clock = clock
        # Two entries at a time would only make each other try again.
        self._one_at_a_time = asyncio.Lock()

    async def record_decision(self, command: RecordDecision) -> Answer:
        """Raises `LogUnavailableError` and `BlobsUnavailableError`."""
        reason = await self._stored(command.tenant, command.reason)
        at = self._clock.wall()
        decision = MadeDecision(title=command.title, reason=reason, by=command.by, at=at)
        return await self._record("decision", command, lambda project: project.decide(decision))

    async def record_preference(self, command: RecordPreference) -> Answer:
        """Raises `LogUnavailableError` and `BlobsUnavailableError`."""
        value = await self._stored(command.tenant, command.value)
        at = self._clock.wall()
        preference = Preference(key=command.key, value=value, by=command.by, at=at)
        return await self._record("preference", command, lambda project: project.prefer(preference))

    async def _stored(self, tenant: str, words: str) -> BlobRef:
        return await self._blobs.put(tenant, words.encode(), _MEDIA_TYPE)

    async def _record(
        self,
        kind: str,
        command: RecordDecision | RecordPreference,
        change: Callable[[Project], None],
    ) -> Answer:
        done = Done(detail=f"{kind} recorded in project {command.project}")
        identity = Command(
            consumer="context",
            tenant=command.tenant,
            message_id=f"{kind} {command.command_id}",
            request_hash=hashlib.sha256(msgspec.json.encode(command)).digest(),
            reply=encode_answer(done),
        )
        stream = project_id(command.tenant, command.project)
        async with self._one_at_a_time:
            for _ in range(_TRIES):
                project = await self._repository.get(Project, stream)
                if project is None:
                    at = self._clock.wall()
                    project = Project.create(command.tenant, command.project, at=at)
                change(project)
                answer = await self._repository.save(
                    project, tenant=command.tenant, command=identity
                )
                if isinstance(answer, Appended):
                    return done
                if isinstance(answer, DuplicateCommand):
                    return _repeated(answer)
        detail = f"project {command.project!r} was changed by somebody else again and again"
        raise LogUnavailableError(detail)


def _repeated(answer: DuplicateCommand) -> Answer:
    if answer.same_request:
        return decode_answer(answer.reply)
    return Rejected(
        code="id_reused",
        message="another request came under this id before",
        next="use a new id for a new entry",
    )
