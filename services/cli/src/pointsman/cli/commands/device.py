"""`pointsman device`: where tasks run."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.commands.device_attach import attach
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.group import ask_pools
from pointsman.cli.log_files import Database
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column, seconds
from pointsman.cli.past_logs import (
    Backup,
    From,
    LogFile,
    PastLog,
    Pool,
    To,
    answer_from,
    moment_arguments,
    pool_arguments,
)
from pointsman.cli.steering import Reason, operate, said
from pointsman.cli.time_machine import Report
from pointsman.contracts.queries import AskPool, DeviceRow
from pointsman.contracts.steering import DrainDevice, UndrainDevice

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

DeviceName = Annotated[str, typer.Argument(metavar="DEVICE", help="Its name, from `device ls`.")]

_COLUMNS: Final = (
    column("device"),
    column("pool"),
    column("class", "device_class"),
    column("state"),
    column("reason"),
    column("slots"),
    column("in flight", "in_flight"),
    column("suspect"),
    column("executor"),
    column("endpoint"),
    column("models", "variants"),
    column("breakers"),
)
_HELD: Final = (
    column("device"),
    column("mode"),
    column("attached", "attached_s", seconds),
    column("MiB held", "mean_mib"),
)


@app.callback()
def device() -> None:
    """Devices of the pool."""


@app.command("ls")
def list_devices(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Devices as the leaders of their pools see them."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            pools = await ask_pools(client, "devices", AskPool(), list[DeviceRow], printer=printer)
        rows = [{**document(row), "pool": pool} for pool, rows in pools for row in rows]
        printer.rows(rows, _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command()
def drain(
    name: DeviceName,
    *,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Give a device nothing new and let it finish what it runs; `device ls` shows when it has."""
    operate(lambda: DrainDevice(**said(reason), device=name), {"device": name}, data, output)


@app.command()
def undrain(
    name: DeviceName,
    *,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Give a device work again."""
    operate(lambda: UndrainDevice(**said(reason), device=name), {"device": name}, data, output)


@app.command()
def why(
    name: DeviceName,
    *,
    last: Annotated[int, typer.Option(min=1, help="The last N events of it.")] = 20,
    log: LogFile = None,
    backup: Backup = None,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Why a device has loaded what it did, from the log alone; the stack need not run."""
    where, asked = PastLog(data, postgres, log, backup), ("--device", name, "--last", last)
    answer_from(where, "device-why", *asked, output=output, show=_tell)


@app.command()
def memory(
    *,
    first: From = None,
    last: To = None,
    pool: Pool = None,
    log: LogFile = None,
    backup: Backup = None,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """How much memory devices that load on demand held, beside all models resident.

    From the log alone, with the sizes that the registry names; during a load the greater of before
    and after. Time in which none of them was attached is left out. The stack need not run.
    """
    where = PastLog(data, postgres, log, backup)
    span = (*moment_arguments("from", first), *moment_arguments("to", last))
    answer_from(where, "device-memory", *span, *pool_arguments(pool), output=output, show=_show)


app.command()(attach)


def _tell(printer: Printer, report: Report) -> None:
    printer.line("\n".join(report["told"]))


def _show(printer: Printer, report: Report) -> None:
    if not report["devices"]:
        printer.line("no device that loads on demand was attached then")
        return
    printer.rows(report["devices"], _HELD)
    if report["share"] is not None:
        printer.line(
            f"{report['held_mib']:.0f} MiB held on average in {report['seconds']:.0f} s; "
            f"all {report['models']} models resident once: {report['all_resident_mib']:.0f} MiB"
            f" ({1 - report['share']:.0%} less)"
        )
