"""`pointsman demo`: the main job on real input."""

from pathlib import Path
from typing import Annotated, Final

import typer

from pointsman.cli.demo.outcome import document_of
from pointsman.cli.demo.report import tell
from pointsman.cli.demo.run import run_demo
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.services_demo.report import tell as tell_services
from pointsman.cli.services_demo.run import run_services_demo
from pointsman.cli.stack_options import Attach, Noop, check_stack_options, stack_errors

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def demo(
    context: typer.Context,
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
    if context.invoked_subcommand is not None:
        if noop or triton:
            raise typer.BadParameter(f"{context.invoked_subcommand} takes no --noop or --triton")
        return
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


@app.command("services")
def demo_services(
    *,
    data: Annotated[
        Path | None, typer.Option("--data", help="Use the stack that runs on this directory.")
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """A conversation, an overload and ratings: how the services watch, degrade and learn.

    Without --data it runs on a stack of its own. What it rates it withdraws again; its overload
    leaves expired tasks, and what the services learned from them.
    """

    async def work(printer: Printer) -> ExitCode:
        with stack_errors():
            report = await run_services_demo(data, printer)
        if printer.for_people:
            tell_services(printer, report)
        else:
            Printer(OutputFormat.JSONL).item(report.document())
        return ExitCode.OK if report.as_promised else ExitCode.FAILURE

    run(output, work)
