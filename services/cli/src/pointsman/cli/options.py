"""Options that many commands share, and how their work is run."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pointsman.cli.failures import CommandError, ExitCode, InvalidOptionError
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
_TERMINATED: Final = 143


def run(
    output: OutputFormat,
    work: Callable[[Printer], Coroutine[Any, Any, ExitCode]],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a command's work on an event loop; raises `typer.Exit` with its status.

    An option that has to be corrected is refused as the parser would: `typer.BadParameter`.
    SIGINT and SIGTERM cancel the work, so that it ends what it has started.
    """
    printer = Printer(output)
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            status = int(runner.run(_cancellable(work(printer))))
    except CommandError as error:
        if isinstance(error, InvalidOptionError) and not error.next_step:
            raise typer.BadParameter(error.message) from error
        printer.error(error)
        status = int(error.exit_code)
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except asyncio.CancelledError:
        status = _TERMINATED
    raise typer.Exit(status)


async def _cancellable(work: Coroutine[Any, Any, ExitCode]) -> ExitCode:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
