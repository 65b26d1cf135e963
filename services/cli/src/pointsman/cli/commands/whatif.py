"""`pointsman whatif`: what another policy would have done with the recorded load."""

from typing import Annotated, Any, Final

import typer

from pointsman.cli.log_files import Database
from pointsman.cli.options import DEFAULT_DATA, Data, Output
from pointsman.cli.output import (
    Column,
    Document,
    OutputFormat,
    Printer,
    clock,
    column,
    counted,
    seconds,
)
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
from pointsman.cli.time_machine import Report

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_FIGURES: Final = ("mean_wait_s", "p50_wait_s", "p90_wait_s", "p99_wait_s", "max_wait_s")
_COLUMNS: Final[tuple[Column, ...]] = (
    column("what"),
    column("ran"),
    column("expired"),
    *(column(name.removesuffix("_wait_s"), name, seconds) for name in _FIGURES),
)


@app.command()
def whatif(  # noqa: PLR0913 - one parameter per option
    *,
    policy: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="One of `simulate`, or a file of parameters.")
    ],
    first: From = None,
    last: To = None,
    devices: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, help="As many for the other policy, instead of those of then."
        ),
    ] = None,
    pool: Pool = None,
    log: LogFile = None,
    backup: Backup = None,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run the recorded load of some time under another policy: simulated, nothing runs.

    Our own policy is simulated first, as it was set then and on the devices of then, and held
    against what really happened: a change that is smaller than that error says nothing. Below
    stands all that was assumed.
    """
    where = PastLog(data, postgres, log, backup)
    span = (*moment_arguments("from", first), *moment_arguments("to", last))
    asked = ("--policy", policy, *span, *pool_arguments(pool))
    fleet = () if devices is None else ("--devices", devices)
    answer_from(where, "whatif", *asked, *fleet, output=output, show=_show)


def _show(printer: Printer, report: Report) -> None:
    printer.line(
        f"{counted(report['tasks'], 'task')} from {clock(report['begin'])} to "
        f"{clock(report['end'])} UTC"
    )
    printer.rows(_rows(report), _COLUMNS)
    printer.line(f"error of the simulation: {_shares(report['error'])}")
    printer.line(f"change by {report['other']['name']}: {_shares(report['change'])}")
    for assumption in report["assumed"]:
        printer.line(f"assumed: {assumption}")


def _rows(report: Report) -> list[Document]:
    ours, other = report["calibrated"], report["other"]
    return [
        {"what": "recorded", **report["recorded"]},
        {"what": f"{ours['name']}, simulated", **ours["waits"]},
        {"what": f"{other['name']}, simulated", **other["waits"]},
    ]


def _shares(shares: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.removesuffix('_wait_s')} wait {'-' if share is None else f'{share:+.1%}'}"
        for name, share in shares.items()
    )
