"""`pointsman dead`: messages that were set aside."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID, uuid4

import typer

from pointsman.cli.author import author
from pointsman.cli.client import connected
from pointsman.cli.dead_letters import find_letter, read_body
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import Column, Document, OutputFormat, Printer, clock, column, plain
from pointsman.contracts.commands import Accepted, Duplicate, RedriveDeadLetter
from pointsman.contracts.queries import DeadLetterRow, ListDeadLetters

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_WIDTH: Final = 120
_GAP: Final = 2
_LEAST: Final = 16

DeadLetterId = Annotated[UUID, typer.Argument(metavar="ID", help="Its id, from `dead ls`.")]

_COLUMNS: Final = (
    column("dead letter", "dead_letter"),
    column("at (UTC)", "at", clock),
    column("tenant"),
    column("code"),
    column("redriven", "redriven_task", lambda task: "yes" if task else "-"),
)


def columns_for(rows: Sequence[Document]) -> list[Column]:
    """Columns that fit into 120 characters: the detail gets what the others leave of them."""
    taken = sum(
        max(len(text) for text in (each.title, *(each.text(row) for row in rows))) + _GAP
        for each in _COLUMNS
    )
    room = max(_LEAST, _WIDTH - taken)

    def shortened(detail: object) -> str:
        text = " ".join(plain(detail).split())
        return text if len(text) <= room else f"{text[: room - 1]}…"

    return [*_COLUMNS, column("detail", text=shortened)]


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
        shown = [document(row) for row in rows]
        printer.rows(shown, columns_for(shown))
        return ExitCode.OK

    run(output, work)


@app.command("get")
def get_dead_letter(
    dead_letter: DeadLetterId,
    *,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """One dead letter with its headers and its body."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            letter = await find_letter(client, dead_letter)
            body = await read_body(printer, client, letter)
        printer.item(letter.document(body), letter.text(body))
        return ExitCode.OK

    run(output, work)


@app.command()
def redrive(
    dead_letter: DeadLetterId,
    *,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Submit a dead letter's message again, as a new task."""

    async def work(printer: Printer) -> ExitCode:
        command = RedriveDeadLetter(command_id=str(uuid4()), dead_letter=dead_letter, by=author())
        async with connected(data) as client:
            answer = await client.redrive(command)
        task = str(answer.task) if isinstance(answer, Accepted | Duplicate) else None
        printer.item({"dead_letter": str(dead_letter), "task": task}, f"task {task}")
        return ExitCode.OK

    run(output, work)
