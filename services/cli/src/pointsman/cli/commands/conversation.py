"""`pointsman conversation`: turns, and what tasks got to read of them."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.moments import At, parse_moment
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import Document, OutputFormat, Printer, clock, column, counted
from pointsman.cli.remembered import NameArgument, Tenant, checked_name, checked_tenant
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.cli.task_options import TaskId
from pointsman.contracts.context import (
    Assembly,
    ConversationRow,
    ConversationState,
    ListConversations,
    OneAssembly,
    OneConversation,
)

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_SERVICE: Final = "context"

_COLUMNS: Final = (
    column("conversation"),
    column("project"),
    column("tenant"),
    column("turns"),
    column("changed (UTC)", "changed_at", clock),
    column("position"),
)
_TURNS: Final = (
    column("turn"),
    column("task"),
    column("model", "variant"),
    column("tokens in", "input_tokens"),
    column("tokens out", "result_tokens"),
    column("completed (UTC)", "completed_at", clock),
    column("cached from", "cached_from"),
)
_ITEMS: Final = (
    column("turn"),
    column("kept", "kept"),
    column("tokens"),
    column("recency"),
    column("relevance"),
    column("score"),
    column("why", "why"),
)

Project = Annotated[str | None, typer.Option(help="The project that it belongs to.")]
Texts = Annotated[bool, typer.Option("--texts", help="With the words.")]


@app.callback()
def conversation() -> None:
    """Conversations, now or at any past position."""


@app.command("ls")
def list_conversations(
    *,
    project: Project = None,
    tenant: Tenant = DEFAULT_TENANT,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Conversations of a tenant, last changed first."""
    asked = ListConversations(
        tenant=checked_tenant(tenant), project=_checked_project(project), limit=limit
    )

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            rows = await client.ask("conversations", asked, list[ConversationRow], service=_SERVICE)
        printer.rows([document(row) for row in rows], _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command()
def show(
    name: NameArgument,
    *,
    project: Project = None,
    at: At = None,
    texts: Texts = False,
    tenant: Tenant = DEFAULT_TENANT,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """One conversation with its turns, now or at a past moment."""
    moment = parse_moment(at)
    asked = OneConversation(
        tenant=checked_tenant(tenant),
        name=checked_name(name),
        project=_checked_project(project),
        at=moment.position,
        at_time=moment.time,
        texts=texts,
    )

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            state = await client.ask("conversation", asked, ConversationState, service=_SERVICE)
        if printer.for_people:
            _tell(printer, state, texts=texts)
        else:
            printer.item(document(state))
        return ExitCode.OK

    run(output, work)


@app.command()
def context(
    task: TaskId,
    *,
    texts: Texts = False,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What a task got to read of its conversation, and why not the rest."""
    asked = OneAssembly(task=task, texts=texts)

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            assembly = await client.ask("assembly", asked, Assembly, service=_SERVICE)
        if not printer.for_people:
            printer.item(document(assembly))
            return ExitCode.OK
        assembled = assembly.assembled
        printer.line(
            f"{assembled.tokens} of {assembled.budget_tokens} tokens, relevance: "
            f"{assembled.relevance}, at position {assembly.position}"
        )
        rows: list[Document] = [{**document(item), "kept": True} for item in assembled.kept]
        rows += [{**document(item), "kept": False} for item in assembled.dropped]
        printer.rows(rows, _ITEMS)
        if assembled.older:
            printer.line(f"not looked at: {counted(assembled.older, 'older turn')}")
        if assembly.text is not None:
            printer.line(f"\n{assembly.text}")
        return ExitCode.OK

    run(output, work)


def _tell(printer: Printer, state: ConversationState, *, texts: bool) -> None:
    where = f" of project {state.project}" if state.project else ""
    printer.line(f"conversation {state.conversation}{where}, at position {state.position}")
    if not texts:
        printer.rows([document(turn) for turn in state.turns], _TURNS)
        return
    for turn in state.turns:
        printer.line(f"\n{turn.turn}. {turn.input_text or _unread(turn.input.media_type)}")
        answer = turn.result_text or _unread(turn.result.media_type)
        printer.line(f"   ({turn.variant}) {answer}")


def _unread(media_type: str) -> str:
    return f"[{media_type}]"


def _checked_project(project: str | None) -> str | None:
    return None if project is None else checked_name(project, "--project")
