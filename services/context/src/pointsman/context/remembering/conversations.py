"""Turns of completed tasks, appended once each."""

import hashlib
from typing import Final
from uuid import UUID

from pointsman.context import telemetry
from pointsman.context.domain.context_pool import ContextPool, Remembered, Words
from pointsman.context.domain.conversation import Conversation, Turn, is_text
from pointsman.context.domain.project import Project, project_id
from pointsman.context.domain.tasks import TaskFacts
from pointsman.context.ports import Tokens
from pointsman.context.remembering.texts import MAX_TEXT_BYTES, NoTextError, read_text
from pointsman.contracts.message import BlobRef
from pointsman.eventstore.aggregates import Repository
from pointsman.eventstore.ports import (
    Append,
    Appended,
    Command,
    DuplicateCommand,
    EventStore,
    LogUnavailableError,
    NewEvent,
)
from pointsman.runtime.blobs import Blobs
from pointsman.runtime.clock import Clock

_TRIES: Final = 3


class Conversations:
    """The conversations of this service, which alone writes them; one task per conversation."""

    def __init__(
        self,
        store: EventStore,
        repository: Repository,
        pool: ContextPool,
        blobs: Blobs,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._store = store
        self._repository = repository
        self._pool = pool
        self._blobs = blobs
        self._tokens = tokens
        self._clock = clock

    async def find(self, stream: UUID) -> Remembered | None:
        """With the words that are remembered of it, which may be none."""
        remembered = self._pool.find(stream)
        if remembered is not None:
            return remembered
        conversation = await self._repository.get(Conversation, stream)
        return None if conversation is None else Remembered(conversation)

    async def append(self, facts: TaskFacts) -> bool:
        """Let the turn of a completed task follow; false if it has been there before.

        Raises `LogUnavailableError` and `BlobsUnavailableError`: to be repeated.
        """
        try:
            return await self._append(facts)
        except BaseException:
            # It may have turns that are not in the log.
            self._pool.forget(facts.lane)
            raise

    async def _append(self, facts: TaskFacts) -> bool:
        if facts.conversation is None or facts.result is None:
            return False
        turn, words = await self._turn(facts, facts.result)
        for _ in range(_TRIES):
            remembered = await self.find(facts.lane)
            started = remembered is None
            if remembered is None:
                at = self._clock.wall()
                new = Conversation.start(facts.tenant, facts.project, facts.conversation, at=at)
                remembered = Remembered(new)
            conversation = remembered.conversation
            if any(each.task == facts.task for each in conversation.turns):
                return False
            conversation.append(turn, at=self._clock.wall())
            events = await self._events(facts, conversation, started=started)
            answer = await self._store.append(Append(events, _once(facts)))
            if isinstance(answer, Appended):
                if words is not None:
                    remembered.words[len(conversation.turns)] = words
                self._pool.keep(facts.lane, remembered)
                telemetry.TURNS.add(1)
                return True
            self._pool.forget(facts.lane)
            if isinstance(answer, DuplicateCommand):
                return False
        detail = f"conversation {facts.conversation!r} was changed by somebody else again and again"
        raise LogUnavailableError(detail)

    async def _events(
        self, facts: TaskFacts, conversation: Conversation, *, started: bool
    ) -> list[NewEvent]:
        """With those of a project that begins with this conversation."""
        events: list[NewEvent] = []
        if started and facts.project is not None:
            stream = project_id(facts.tenant, facts.project)
            if await self._repository.get(Project, stream) is None:
                project = Project.create(facts.tenant, facts.project, at=self._clock.wall())
                events += self._repository.changes(project, tenant=facts.tenant)
        return [*events, *self._repository.changes(conversation, tenant=facts.tenant)]

    async def _turn(self, facts: TaskFacts, result: BlobRef) -> tuple[Turn, Words | None]:
        asked, asked_tokens = await self._measured(facts.tenant, facts.input)
        answered, answered_tokens = await self._measured(facts.tenant, result)
        turn = Turn(
            task=facts.task,
            family=facts.family,
            variant=facts.variant,
            input=facts.input,
            result=result,
            input_tokens=asked_tokens,
            result_tokens=answered_tokens,
            accepted_at=facts.accepted_at,
            completed_at=facts.completed_at,
            cached_from=facts.cached_from,
        )
        if asked is None or answered is None:
            return turn, None
        return turn, Words(asked, answered)

    async def _measured(self, tenant: str, content: BlobRef) -> tuple[str | None, int]:
        try:
            text = await read_text(self._blobs, tenant, content)
        except NoTextError:
            # As many as a text of so many one-byte characters has; none for what is no text.
            long = is_text(content) and content.size > MAX_TEXT_BYTES
            return None, content.size // 4 if long else 0
        return text, self._tokens.count(text)


def _once(facts: TaskFacts) -> Command:
    return Command(
        consumer="context",
        tenant=facts.tenant,
        message_id=f"turn {facts.task}",
        request_hash=hashlib.sha256(facts.task.bytes).digest(),
        reply=b"{}",
    )
