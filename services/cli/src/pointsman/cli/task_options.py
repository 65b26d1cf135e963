"""The options of `task` commands."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from pointsman.cli.output import OutputFormat
from pointsman.cli.showing import STDOUT
from pointsman.cli.submitting import AllowedDegradation
from pointsman.contracts.message import PriorityClass

TaskId = Annotated[UUID, typer.Argument(metavar="ID", help="The id of the task.")]
Family = Annotated[
    str,
    typer.Argument(help="What kind of work, for example summarize; auto: find out by the content."),
]
Text = Annotated[str | None, typer.Argument(help="The input, - for standard input.")]
InputFile = Annotated[Path | None, typer.Option("--file", help="Read the input from it.")]
Class = Annotated[PriorityClass, typer.Option("--class", help="How urgent it is by its kind.")]
Deadline = Annotated[
    str | None, typer.Option(help="5s, 250ms, 2m, 1h from now, or an RFC 3339 time.")
]
Degraded = Annotated[
    AllowedDegradation | None,
    typer.Option(help="What may be done under load, or with an input that is too long."),
]
MaxAttempts = Annotated[int, typer.Option(min=1, max=10, help="How often it is tried at most.")]
Parameters = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="For the model (repeatable).")
]
Project = Annotated[str | None, typer.Option(help="The project that a conversation belongs to.")]
Conversation = Annotated[
    str | None, typer.Option(metavar="NAME", help="Its earlier turns become part of the input.")
]
ContextTokens = Annotated[
    int, typer.Option(min=0, max=1_000_000, help="Most tokens of context and input; 0: default.")
]
Cached = Annotated[
    bool, typer.Option("--cache", help="The earlier result of an identical task will do.")
]
OwnId = Annotated[
    str | None, typer.Option("--id", help="Your id: a repetition makes no second task.")
]
NotBefore = Annotated[
    str | None, typer.Option(help="Not before 30m, 2h or 1d from now, or an RFC 3339 time.")
]
After = Annotated[
    list[UUID] | None,
    typer.Option("--after", metavar="ID", help="When this task has completed (repeatable)."),
]
Bulk = Annotated[
    str | None, typer.Option(metavar="NAME", help="Names tasks that are submitted together.")
]
InPool = Annotated[
    str,
    typer.Option("--pool", metavar="NAME", help="Only there; else where it starts first."),
]
Timeout = Annotated[
    float, typer.Option(min=0, help="How many seconds --wait or --stream waits for the end.")
]
ResultTo = Annotated[
    Path | None,
    typer.Option("--result", metavar="FILE|-", help="Write the bytes of the result there."),
]


def check_result_option(result: Path | None, output: OutputFormat, *, wait: bool = True) -> None:
    """Raises `typer.BadParameter`."""
    if result is not None and not wait:
        raise typer.BadParameter("--result needs --wait, without --stream")
    if result == STDOUT and output is not OutputFormat.TABLE:
        raise typer.BadParameter("--result - prints nothing but the result; leave -o away")
