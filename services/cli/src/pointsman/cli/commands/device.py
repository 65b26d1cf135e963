"""`pointsman device`: where tasks run."""

from typing import Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column
from pointsman.contracts.queries import AskPool, DeviceRow

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS: Final = (
    column("device"),
    column("class", "device_class"),
    column("state"),
    column("reason"),
    column("slots"),
    column("in flight", "in_flight"),
    column("suspect"),
    column("executor"),
    column("endpoint"),
    column("models", "variants"),
)


@app.callback()
def device() -> None:
    """Devices of the pool."""


@app.command("ls")
def list_devices(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Devices as the pool's leader sees them."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            rows = await client.ask("devices", AskPool(), list[DeviceRow])
        printer.rows([document(row) for row in rows], _COLUMNS)
        return ExitCode.OK

    run(output, work)
