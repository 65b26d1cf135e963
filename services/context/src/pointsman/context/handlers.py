"""Requests on the bus: translated, handed on, answered. Nothing is decided here."""

from typing import Final, TypeVar

from faststream.nats import NatsRouter

from pointsman.context.remembering.projects import Projects
from pointsman.context.remembering.questions import Questions
from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Rejected
from pointsman.contracts.context import (
    AskContextPool,
    Assembly,
    ContextPoolRow,
    ConversationRow,
    ConversationState,
    ListConversations,
    ListProjects,
    OneAssembly,
    OneConversation,
    OneProject,
    ProjectRow,
    ProjectState,
    RecordDecision,
    RecordPreference,
)
from pointsman.runtime.broker import RefusedError, body_decoder

_SERVICE: Final = "context"

Found = TypeVar("Found", Assembly, ConversationState, ProjectState)


def build_command_router(projects: Projects) -> NatsRouter:
    """Commands; each message is a pack of one verb."""
    router = NatsRouter()

    def command(verb: str) -> str:
        return subjects.command(_SERVICE, verb)

    @router.subscriber(command("record_decision"), decoder=body_decoder(list[RecordDecision]))
    async def record_decision(commands: list[RecordDecision]) -> list[Answer]:
        return [await projects.record_decision(item) for item in commands]

    @router.subscriber(command("record_preference"), decoder=body_decoder(list[RecordPreference]))
    async def record_preference(commands: list[RecordPreference]) -> list[Answer]:
        return [await projects.record_preference(item) for item in commands]

    return router


def build_query_router(questions: Questions) -> NatsRouter:
    """Questions; see `pointsman.contracts.context` for the table."""
    router = NatsRouter()

    def query(verb: str) -> str:
        return subjects.query(_SERVICE, verb)

    @router.subscriber(query("projects"), decoder=body_decoder(ListProjects))
    async def projects(asked: ListProjects) -> list[ProjectRow]:
        return list(await questions.projects(asked))

    @router.subscriber(query("project"), decoder=body_decoder(OneProject))
    async def project(asked: OneProject) -> ProjectState:
        _require_one_moment(asked)
        found = await questions.project(asked)
        return _found(found, f"project {asked.name!r}", "`pointsman project ls` shows the projects")

    @router.subscriber(query("conversations"), decoder=body_decoder(ListConversations))
    async def conversations(asked: ListConversations) -> list[ConversationRow]:
        return list(await questions.conversations(asked))

    @router.subscriber(query("conversation"), decoder=body_decoder(OneConversation))
    async def conversation(asked: OneConversation) -> ConversationState:
        _require_one_moment(asked)
        found = await questions.conversation(asked)
        where = f" of project {asked.project!r}" if asked.project is not None else ""
        next_step = "`pointsman conversation ls` shows the conversations"
        return _found(found, f"conversation {asked.name!r}{where}", next_step)

    @router.subscriber(query("assembly"), decoder=body_decoder(OneAssembly))
    async def assembly(asked: OneAssembly) -> Assembly:
        found = await questions.assembly(asked)
        next_step = f"`pointsman task why {asked.task}` says what it ran on"
        return _found(found, f"context of task {asked.task}", next_step)

    @router.subscriber(query("pool"), decoder=body_decoder(AskContextPool))
    async def pool(_asked: AskContextPool) -> ContextPoolRow:
        return await questions.pool()

    return router


def _require_one_moment(asked: OneProject | OneConversation) -> None:
    if asked.at is not None and asked.at_time is not None:
        raise RefusedError(
            Rejected(
                code="two_moments",
                message="both a position and a time were given",
                next="give one of `at` and `at_time`",
            )
        )


def _found(found: Found | None, what: str, next_step: str) -> Found:
    if found is None:
        kind = what.split(" ", 1)[0]
        raise RefusedError(
            Rejected(
                code=f"no_such_{kind}",
                message=f"there is no {what}, or there was none yet",
                next=next_step,
            )
        )
    return found
