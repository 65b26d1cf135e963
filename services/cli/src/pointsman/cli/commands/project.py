"""`pointsman project`: decisions with their reasons, and preferences."""

from typing import Annotated, Final
from uuid import uuid4

import typer

from pointsman.cli.author import author
from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.moments import At, parse_moment
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, clock, column
from pointsman.cli.remembered import (
    NameArgument,
    Tenant,
    checked_name,
    checked_tenant,
    checked_text,
)
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.contracts.commands import Done
from pointsman.contracts.context import (
    MAX_TITLE_CHARS,
    MAX_WORDS_CHARS,
    ListProjects,
    OneProject,
    ProjectRow,
    ProjectState,
    RecordDecision,
    RecordPreference,
)

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_SERVICE: Final = "context"

_COLUMNS: Final = (
    column("project"),
    column("tenant"),
    column("decisions"),
    column("preferences"),
    column("conversations"),
    column("changed (UTC)", "changed_at", clock),
    column("position"),
)
_DECISIONS: Final = (
    column("number"),
    column("at (UTC)", "at", clock),
    column("by"),
    column("decision", "title"),
    column("reason", "text"),
)
_PREFERENCES: Final = (
    column("preference", "key"),
    column("value", "text"),
    column("by"),
    column("at (UTC)", "at", clock),
)


@app.callback()
def project() -> None:
    """Projects: their decisions and preferences."""


@app.command("ls")
def list_projects(
    *,
    tenant: Tenant = DEFAULT_TENANT,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Projects of a tenant, last changed first."""
    asked = ListProjects(tenant=checked_tenant(tenant), limit=limit)

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            rows = await client.ask("projects", asked, list[ProjectRow], service=_SERVICE)
        printer.rows([document(row) for row in rows], _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command()
def show(
    name: NameArgument,
    *,
    at: At = None,
    tenant: Tenant = DEFAULT_TENANT,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """One project with its reasons and values, now or at a past moment."""
    moment = parse_moment(at)
    asked = OneProject(
        tenant=checked_tenant(tenant),
        name=checked_name(name),
        at=moment.position,
        at_time=moment.time,
        texts=True,
    )

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            state = await client.ask("project", asked, ProjectState, service=_SERVICE)
        if not printer.for_people:
            printer.item(document(state))
            return ExitCode.OK
        printer.line(f"project {state.project} of {state.tenant}, at position {state.position}")
        if state.decisions:
            printer.rows([document(each) for each in state.decisions], _DECISIONS)
        if state.preferences:
            printer.rows([document(each) for each in state.preferences], _PREFERENCES)
        return ExitCode.OK

    run(output, work)


@app.command()
def decide(
    name: NameArgument,
    *,
    title: Annotated[str, typer.Option(help="What was decided; stands in the log.")],
    reason: Annotated[str, typer.Option(help="Why; kept outside the log.")],
    tenant: Tenant = DEFAULT_TENANT,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Write down a decision with its reason; creates the project if need be."""
    command = RecordDecision(
        command_id=str(uuid4()),
        tenant=checked_tenant(tenant),
        project=checked_name(name),
        title=checked_text(title, "--title", MAX_TITLE_CHARS, least=1),
        reason=checked_text(reason, "--reason", MAX_WORDS_CHARS, least=1),
        by=author(),
    )
    _record("record_decision", command, data, output)


@app.command()
def prefer(
    name: NameArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="What the preference is about.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Kept outside the log.")],
    *,
    tenant: Tenant = DEFAULT_TENANT,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Write down a preference; replaces an earlier value of the key."""
    command = RecordPreference(
        command_id=str(uuid4()),
        tenant=checked_tenant(tenant),
        project=checked_name(name),
        key=checked_name(key, "KEY"),
        value=checked_text(value, "VALUE", MAX_WORDS_CHARS),
        by=author(),
    )
    _record("record_preference", command, data, output)


def _record(
    verb: str, command: RecordDecision | RecordPreference, data: Data, output: OutputFormat
) -> None:
    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            answer = await client.command(_SERVICE, verb, command)
        detail = answer.detail if isinstance(answer, Done) else ""
        printer.item({"project": command.project, "detail": detail}, detail)
        return ExitCode.OK

    run(output, work)
