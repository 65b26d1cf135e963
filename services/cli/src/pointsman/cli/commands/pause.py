"""`pointsman pause`: grant nothing of a model, a family, a tenant or the pool."""

from pathlib import Path
from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode, InvalidOptionError
from pointsman.cli.group import ask_pools
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, clock, column
from pointsman.cli.steering import operate_scope, said, scope_of
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.queries import AskPool
from pointsman.contracts.steering import PauseRow, PauseScope

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_COLUMNS: Final = (
    column("kind"),
    column("name"),
    column("pool"),
    column("since (UTC)", "at", clock),
    column("by"),
    column("reason"),
)


@app.command()
def pause(
    kind: Annotated[
        ScopeKind | None, typer.Argument(help="What is paused; without it: what is.")
    ] = None,
    name: Annotated[str | None, typer.Argument(help="Its name.")] = None,
    *,
    reason: Annotated[str | None, typer.Option(help="Stands in the log with your name.")] = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Grant nothing of a scope until it resumes; what runs goes on, new tasks are accepted.

    Without KIND: everything that is paused.
    """
    if kind is None:
        _list(data, output)
    else:
        _pause(kind, name, reason, data, output)


def _pause(
    kind: ScopeKind, name: str | None, reason: str | None, data: Path, output: OutputFormat
) -> None:
    def command() -> PauseScope:
        if name is None:
            raise InvalidOptionError(f"name the {kind} that is to be paused")
        if reason is None:
            raise InvalidOptionError("say why with --reason: it stands in the log")
        return PauseScope(**said(reason), kind=kind, name=scope_of(kind, name))

    operate_scope(command, kind, name, data, output)


def _list(data: Path, output: OutputFormat) -> None:
    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            pools = await ask_pools(client, "pauses", AskPool(), list[PauseRow], printer=printer)
        rows = [{**document(row), "pool": pool} for pool, rows in pools for row in rows]
        printer.rows(rows, _COLUMNS)
        return ExitCode.OK

    run(output, work)
