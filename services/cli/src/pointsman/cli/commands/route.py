"""`pointsman route`: where a task would go, and what it would be taken for."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column, figures, seconds
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.cli.submitting import Wish, read_payload
from pointsman.cli.task_options import Class, Deadline, InputFile, Parameters, Project
from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.routing import AUTO

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_DOMAINS: Final = (
    column("domain"),
    column("family"),
    column("similarity"),
    column("prior"),
    column("score"),
)


def _dollars(value: object) -> str:
    return figures(value) if isinstance(value, int | float) else "-"


_FACTS: Final = (
    column("family"),
    column("variants"),
    column("band"),
    column("score", "complexity"),
    column("input tokens", "input_tokens"),
    column("output tokens", "output_tokens"),
    column("output from", "output_from"),
    column("simple below", "simple_below"),
    column("complex from", "complex_from"),
    column("scale from", "scale_from"),
    column("run", "run_s", seconds),
    column("run from", "run_from"),
    column("MiB", "memory_mib"),
    column("tier"),
    column("device"),
    column("run there", "tier_s", seconds),
    column("USD there", "cost_usd", _dollars),
)
_TITLE_WIDTH: Final = max(len(each.title) for each in _FACTS)


@app.command()
def route(  # noqa: PLR0913 - one parameter per option
    text: Annotated[str | None, typer.Argument(help="The input, - for standard input.")] = None,
    *,
    file: InputFile = None,
    family: Annotated[
        str, typer.Option(help="Judge it as a task of this family instead of finding one.")
    ] = AUTO,
    priority_class: Class = PriorityClass.STANDARD,
    deadline: Deadline = None,
    tenant: Annotated[str, typer.Option(help="On whose behalf.")] = DEFAULT_TENANT,
    project: Project = None,
    param: Parameters = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Say what family, band and device a task would get now; nothing is queued or recorded."""
    wish = Wish(
        family, tenant, priority_class, deadline, None, 0.0, 0.0, None, 1, tuple(param or ()), None,
        project,
    )  # fmt: skip

    async def work(printer: Printer) -> ExitCode:
        command = wish.command(read_payload(text, file))
        async with connected(data) as client:
            accepted = await client.ask("preview", command, TaskAccepted)
        _show(printer, accepted)
        return ExitCode.OK

    run(output, work)


def _show(printer: Printer, accepted: TaskAccepted) -> None:
    facts: dict[str, object] = {
        "family": accepted.family,
        "variants": list(accepted.variants),
        "band": accepted.band,
        "complexity": accepted.complexity,
        "judged": None if accepted.judged is None else document(accepted.judged),
        "route": None if accepted.route is None else document(accepted.route),
    }
    if not printer.for_people:
        printer.item(facts)
        return
    flat = {**facts, **({} if accepted.judged is None else document(accepted.judged))}
    for each in _FACTS:
        printer.line(f"{each.title:<{_TITLE_WIDTH}} {each.text(flat)}")
    if accepted.route is not None:
        found = (accepted.route.chosen, *accepted.route.others)
        printer.rows([document(each) for each in found], _DOMAINS)
