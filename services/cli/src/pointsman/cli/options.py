"""Options that many commands share, and how their work is run."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.output import OutputFormat, Printer

DATA_VARIABLE: Final = "POINTSMAN_DATA"
DEFAULT_DATA: Final = Path(".pointsman")

Output = Annotated[
    OutputFormat,
    typer.Option("-o", "--output", help="A table for people, one JSON document, or JSON lines."),
]
Data = Annotated[
    Path,
    typer.Option("--data", envvar=DATA_VARIABLE, help="The data directory of the stack."),
]

_INTERRUPTED: Final = 130


def run(
    output: OutputFormat,
    work: Callable[[Printer], Coroutine[Any, Any, ExitCode]],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a command's work on an event loop; always raises `typer.Exit` with its status."""
    printer = Printer(output)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            status = int(runner.run(work(printer)))
    except CommandError as error:
        printer.error(error)
        status = int(error.exit_code)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    raise typer.Exit(status)
