"""`pointsman bench routing`: how often the router is right."""

from pathlib import Path
from typing import Final

import typer

from pointsman.cli.bench.routing import bench_routing
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.options import Output, run
from pointsman.cli.output import OutputFormat, Printer, column
from pointsman.cli.stack.project import find_project
from pointsman.contracts.routing_file import InvalidRoutingError, parse_labelled, parse_routing

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_COLUMNS: Final = (
    column("label"),
    column("split"),
    column("tasks"),
    column("accuracy"),
    column("keywords"),
)


@app.command("routing")
def bench_router(*, output: Output = OutputFormat.TABLE) -> None:
    """Judge the labelled routing set: family, band and device, beside a list of keywords.

    The split `test` was held out: nothing was chosen on it. Confusions are those of the test split.
    """

    async def work(printer: Printer) -> ExitCode:
        project = find_project()
        file = parse_routing(_read(project.routing))
        report = bench_routing(file, parse_labelled(_read(project.labelled)))
        if printer.for_people:
            printer.rows(report["labels"], _COLUMNS)
            for label, rows in report["confusion"].items():
                printer.line(f"{label}: {_confusions(rows)}")
        else:
            printer.item(report)
        return ExitCode.OK

    async def checked(printer: Printer) -> ExitCode:
        try:
            return await work(printer)
        except InvalidRoutingError as error:
            raise CommandError(
                f"the routing files cannot be read: {error}",
                code="routing_invalid",
                exit_code=ExitCode.FAILURE,
                next_step="correct infra/routing, or restore it from the repository",
            ) from error

    run(output, checked)


def _confusions(rows: dict[str, dict[str, int]]) -> str:
    wrong = [
        f"{label} taken for {guess} {times}x"
        for label, guesses in rows.items()
        for guess, times in guesses.items()
        if guess != label
    ]
    return ", ".join(wrong) or "no confusion"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read: {error.strerror}",
            code="routing_missing",
            exit_code=ExitCode.NOT_FOUND,
            next_step="restore it from the repository",
        ) from error
