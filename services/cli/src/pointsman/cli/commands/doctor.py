"""`pointsman doctor`: what the stack needs of this machine, and what is missing."""

from typing import Final

import typer

from pointsman.cli.doctor import Status, examine
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_COLUMNS: Final = (
    column("check"),
    column("status"),
    column("found"),
    column("what to do", "next"),
)


@app.command()
def doctor(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Check what this machine needs to run the stack; exit status 1 when something is missing."""

    async def work(printer: Printer) -> ExitCode:
        findings = [finding async for finding in examine(data.absolute())]
        printer.rows([finding.document() for finding in findings], _COLUMNS)
        failed = any(finding.status is Status.FAIL for finding in findings)
        return ExitCode.FAILURE if failed else ExitCode.OK

    run(output, work)
