"""`pointsman alert`: what exceeded a threshold for so long that somebody should know."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.monitoring import ALERT_COLUMNS, MONITOR
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.contracts.resource_monitor import AlertRow, ListAlerts

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def alert() -> None:
    """Alerts that stand, and those that are over."""


@app.command("ls")
def list_alerts(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were cleared.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Alerts, newest first; without --all only those that stand."""
    asked = ListAlerts(all=everything, limit=limit)

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            rows = await client.ask("alerts", asked, list[AlertRow], service=MONITOR)
        printer.rows([document(row) for row in rows], ALERT_COLUMNS)
        return ExitCode.OK

    run(output, work)
