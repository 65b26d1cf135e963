"""`pointsman pool`: the pools of the group."""

from typing import Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.group import ask_pools
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column, seconds
from pointsman.contracts.queries import AskPool, PoolRow

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS: Final = (
    column("pool"),
    column("epoch"),
    column("leader", "holder"),
    column("position"),
    column("queued"),
    column("granted"),
    column("longest wait", "wait_s", seconds),
    column("devices"),
)


@app.callback()
def pool() -> None:
    """Pools of the group: each has a leader, executors and devices of its own."""


@app.command("ls")
def list_pools(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Pools as their leaders see them; `longest wait` is predicted, over the families."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            answers = await ask_pools(client, "pool", AskPool(), PoolRow, printer=printer)
        printer.rows([document(row) for _, row in answers], _COLUMNS)
        return ExitCode.OK

    run(output, work)
