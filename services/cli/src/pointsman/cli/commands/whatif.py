"""`pointsman whatif`: what another policy would have done with the recorded load."""

from typing import Annotated, Any, Final

import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.log_files import Database
from pointsman.cli.moments import parse_moment
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import Column, Document, OutputFormat, Printer, clock, column, seconds
from pointsman.cli.past_logs import Backup, LogFile, Pool, log_to_read, moment_arguments
from pointsman.cli.time_machine import Report, ask_time_machine

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
    first: Annotated[
        str | None, typer.Option("--from", metavar="POSITION|TIME", help="Default: the beginning.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="POSITION|TIME", help="Default: the end.")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="As many instead of the recorded ones.")
    ] = None,
    pool: Pool = None,
    log: LogFile = None,
    backup: Backup = None,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run the recorded load of some time under another policy: simulated, nothing runs.

    Our own policy is simulated first and held against what really happened: a change that is
    smaller than that error says nothing.
    """
    asked: list[str | int | float] = ["--policy", policy]
    asked += moment_arguments("from", parse_moment(first, option="--from"))
    asked += moment_arguments("to", parse_moment(last, option="--to"))
    asked += [] if devices is None else ["--devices", devices]
    asked += [] if pool is None else ["--pool", pool]

    async def work(printer: Printer) -> ExitCode:
        source = log_to_read(data.absolute(), log=log, backup=backup, postgres=postgres)
        async with source as file:
            report = await ask_time_machine("whatif", "--log", file, *asked, say=printer.say)
        if printer.for_people:
            _show(printer, report)
        else:
            printer.item(report)
        return ExitCode.OK

    run(output, work)


def _show(printer: Printer, report: Report) -> None:
    printer.line(
        f"{report['tasks']} tasks from {clock(report['begin'])} to {clock(report['end'])} UTC"
    )
    printer.rows(_rows(report), _COLUMNS)
    printer.line(f"error of the simulation: {_shares(report['error'])}")
    printer.line(f"change by {report['other']['policy']}: {_shares(report['change'])}")
    for assumption in report["assumed"]:
        printer.line(f"assumed: {assumption}")


def _rows(report: Report) -> list[Document]:
    ours, other = report["calibrated"], report["other"]
    return [
        {"what": "recorded", **report["recorded"]},
        {"what": f"{ours['policy']}, simulated", **ours["waits"]},
        {"what": f"{other['policy']}, simulated", **other["waits"]},
    ]


def _shares(shares: dict[str, Any]) -> str:
    return ", ".join(
        f"{name.removesuffix('_wait_s')} wait {'-' if share is None else f'{share:+.1%}'}"
        for name, share in shares.items()
    )
