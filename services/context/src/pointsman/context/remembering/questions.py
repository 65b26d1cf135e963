"""Answers to questions, now and for any past moment."""

from collections.abc import Sequence

from pointsman.context.domain.context_pool import ContextPool
from pointsman.context.domain.conversation import Conversation, Turn, conversation_id
from pointsman.context.domain.moments import Moment
from pointsman.context.domain.project import Project, project_id
from pointsman.context.ports import Catalogue, TaskLedger
from pointsman.context.remembering.archive import Archive, Folded
from pointsman.context.remembering.rebuilding import Rebuilding
from pointsman.context.remembering.response_cache import ResponseCache
from pointsman.context.remembering.texts import NoTextError, text_or_none
from pointsman.contracts.context import (
    Assembly,
    ContextPoolRow,
    ConversationRow,
    ConversationState,
    DecisionRow,
    ListConversations,
    ListProjects,
    OneAssembly,
    OneConversation,
    OneProject,
    PreferenceRow,
    ProjectRow,
    ProjectState,
    TurnRow,
)
from pointsman.contracts.message import BlobRef
from pointsman.runtime.blobs import Blobs
from pointsman.runtime.clock import Clock


class Questions:
    """Reads only. Words are read as the tenant that the log names, on request."""

    def __init__(
        self,
        archive: Archive,
        rebuilding: Rebuilding,
        catalogue: Catalogue,
        ledger: TaskLedger,
        pool: ContextPool,
        responses: ResponseCache,
        blobs: Blobs,
        clock: Clock,
    ) -> None:
        self._archive = archive
        self._rebuilding = rebuilding
        self._catalogue = catalogue
        self._ledger = ledger
        self._pool = pool
        self._responses = responses
        self._blobs = blobs
        self._clock = clock

    async def projects(self, query: ListProjects) -> Sequence[ProjectRow]:
        return await self._catalogue.projects(query)

    async def conversations(self, query: ListConversations) -> Sequence[ConversationRow]:
        return await self._catalogue.conversations(query)

    async def project(self, query: OneProject) -> ProjectState | None:
        """None: there was no such project yet."""
        stream = project_id(query.tenant, query.name)
        found = await self._archive.at(Project, stream, Moment(query.at, query.at_time))
        return None if found is None else await self._project(found, texts=query.texts)

    async def conversation(self, query: OneConversation) -> ConversationState | None:
        """None: there was no such conversation yet."""
        stream = conversation_id(query.tenant, query.project, query.name)
        found = await self._archive.at(Conversation, stream, Moment(query.at, query.at_time))
        if found is None:
            return None
        conversation = found.aggregate
        turns = [
            await self._turn(number, turn, found.tenant, texts=query.texts)
            for number, turn in enumerate(conversation.turns, start=1)
        ]
        return ConversationState(
            tenant=found.tenant,
            project=conversation.project or None,
            conversation=conversation.name,
            version=conversation.version,
            position=found.position,
            started_at=conversation.created_on.timestamp(),
            turns=tuple(turns),
        )

    async def assembly(self, query: OneAssembly) -> Assembly | None:
        """None: nothing was assembled for this task."""
        found = await self._rebuilding.find(query.task)
        if found is None or not query.texts:
            return found
        try:
            text = (await self._rebuilding.payload(found)).decode()
        except NoTextError:
            return found
        return Assembly(
            task=found.task,
            stream=found.stream,
            position=found.position,
            tenant=found.tenant,
            assembled=found.assembled,
            text=text,
        )

    async def pool(self) -> ContextPoolRow:
        pool = self._pool
        return ContextPoolRow(
            capacity_bytes=pool.capacity,
            size_bytes=pool.size,
            entries=len(pool),
            hits=pool.hits,
            misses=pool.misses,
            evictions=pool.evictions,
            responses=await self._ledger.responses(at=self._clock.wall()),
            response_hits=self._responses.hits,
            response_misses=self._responses.misses,
        )

    async def _project(self, found: Folded[Project], *, texts: bool) -> ProjectState:
        project, tenant = found.aggregate, found.tenant
        decisions = [
            DecisionRow(
                number=number,
                title=each.title,
                reason=each.reason,
                by=each.by,
                at=each.at,
                text=await self._text(tenant, each.reason, wanted=texts),
            )
            for number, each in enumerate(project.decisions, start=1)
        ]
        preferences = [
            PreferenceRow(
                key=each.key,
                value=each.value,
                by=each.by,
                at=each.at,
                text=await self._text(tenant, each.value, wanted=texts),
            )
            for _, each in sorted(project.preferences.items())
        ]
        return ProjectState(
            tenant=tenant,
            project=project.name,
            version=project.version,
            position=found.position,
            created_at=project.created_on.timestamp(),
            decisions=tuple(decisions),
            preferences=tuple(preferences),
        )

    async def _turn(self, number: int, turn: Turn, tenant: str, *, texts: bool) -> TurnRow:
        return TurnRow(
            turn=number,
            task=turn.task,
            family=turn.family,
            variant=turn.variant,
            input=turn.input,
            result=turn.result,
            input_tokens=turn.input_tokens,
            result_tokens=turn.result_tokens,
            accepted_at=turn.accepted_at,
            completed_at=turn.completed_at,
            cached_from=turn.cached_from,
            input_text=await self._text(tenant, turn.input, wanted=texts),
            result_text=await self._text(tenant, turn.result, wanted=texts),
        )

    async def _text(self, tenant: str, content: BlobRef, *, wanted: bool) -> str | None:
        return await text_or_none(self._blobs, tenant, content) if wanted else None
