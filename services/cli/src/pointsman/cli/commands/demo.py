"""`pointsman demo`: the main job on real input."""

from typing import Annotated, Final

import typer

from pointsman.cli.demo.outcome import document_of
from pointsman.cli.demo.report import tell
from pointsman.cli.demo.run import run_demo
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.stack_options import Attach, Noop, check_stack_options, stack_errors

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def demo(
    *,
    tasks: Annotated[int, typer.Option(min=1, max=500, help="How many messages to send.")] = 60,
    triton: Attach = None,
    noop: Noop = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Send real texts through a stack of its own, kill the executor half-way, explain the rest.

    The texts are long documentation strings of Python's standard library, sent with nothing but
    NATS and CloudEvents; one has an infeasible deadline, one is a duplicate, one is malformed.
    """
    check_stack_options(attach=triton or (), noop=noop)

    async def work(printer: Printer) -> ExitCode:
        with stack_errors():
            report = await run_demo(tasks, printer, attach=tuple(triton or ()), noop=noop)
        outcome = report.outcome
        if printer.for_people:
            tell(printer, report)
        else:
            # One line, whichever JSON was asked for.
            Printer(OutputFormat.JSONL).item(document_of(outcome))
        return ExitCode.OK if outcome.adds_up else ExitCode.FAILURE

    run(output, work)
