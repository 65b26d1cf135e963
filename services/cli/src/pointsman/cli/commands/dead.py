"""`pointsman dead`: messages that were set aside."""

import getpass
from typing import Annotated, Final
from uuid import UUID, uuid4

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, clock, column
from pointsman.contracts.commands import Accepted, Duplicate, RedriveDeadLetter
from pointsman.contracts.queries import DeadLetterRow, ListDeadLetters

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS: Final = (
    column("dead letter", "dead_letter"),
    column("at", "at", clock),
    column("tenant"),
    column("code"),
    column("detail"),
    column("message id", "message_id"),
    column("deliveries"),
    column("redriven as", "redriven_task"),
)


@app.callback()
def dead() -> None:
    """Messages that were set aside, with their bytes and the reason."""


@app.command("ls")
def list_dead_letters(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Dead letters, newest first."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            asked = ListDeadLetters(limit=limit)
            rows = await client.ask("dead_letters", asked, list[DeadLetterRow])
        printer.rows([document(row) for row in rows], _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command()
def redrive(
    dead_letter: Annotated[UUID, typer.Argument(help="Its id, from `dead ls`.")],
    *,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Submit a dead letter's message again, as a new task."""

    async def work(printer: Printer) -> ExitCode:
        command = RedriveDeadLetter(
            command_id=str(uuid4()), dead_letter=dead_letter, by=f"cli:{getpass.getuser()}"
        )
        async with connected(data) as client:
            answer = await client.redrive(command)
        task = str(answer.task) if isinstance(answer, Accepted | Duplicate) else None
        printer.item({"dead_letter": str(dead_letter), "task": task}, f"task {task}")
        return ExitCode.OK

    run(output, work)
