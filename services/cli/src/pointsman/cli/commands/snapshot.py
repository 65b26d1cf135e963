"""`pointsman snapshot`: everything at one moment."""

from typing import Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.monitoring import MONITOR, show_snapshot
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.contracts.resource_monitor import AskMonitor, Snapshot

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def snapshot(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Devices, tasks, quality, predictions and alerts, with the age of what they rest on."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            seen = await client.ask("snapshot", AskMonitor(), Snapshot, service=MONITOR)
        if printer.for_people:
            show_snapshot(printer, seen)
        else:
            printer.item(document(seen))
        return ExitCode.OK

    run(output, work)
