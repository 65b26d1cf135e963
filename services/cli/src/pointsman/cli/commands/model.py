"""`pointsman model`: variants."""

from typing import Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column, seconds
from pointsman.contracts.queries import AskPool, ModelRow

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS: Final = (
    column("model", "variant"),
    column("family"),
    column("quality"),
    column("MiB", "memory_mib"),
    column("load", "load_s", seconds),
    column("slots"),
    column("devices"),
    column("runs"),
    column("p50", "p50_s", seconds),
    column("p99", "p99_s", seconds),
)


@app.callback()
def model() -> None:
    """Model variants and where they are loaded."""


@app.command("ls")
def list_models(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Registered variants by family, best quality first."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            rows = await client.ask("models", AskPool(), list[ModelRow])
        printer.rows([document(row) for row in rows], _COLUMNS)
        return ExitCode.OK

    run(output, work)
