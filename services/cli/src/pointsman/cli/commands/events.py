"""`pointsman events`: the log itself."""

from contextlib import aclosing
from typing import Annotated, Final, cast
from uuid import UUID

import typer

from pointsman.cli.client import StackClient, connected
from pointsman.cli.documents import document
from pointsman.cli.event_types import topics_of
from pointsman.cli.failures import ExitCode
from pointsman.cli.feed import follow, last_events, whole_log
from pointsman.cli.moments import MAX_POSITION
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import Column, Document, OutputFormat, Printer, clock, column, plain
from pointsman.cli.refusals import rejected
from pointsman.contracts.queries import ListEvents
from pointsman.contracts.recorded import Recorded

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

# What most events are recognised by, in the order of a sentence.
_TELLING: Final = (
    "family",
    "priority_class",
    "attempt",
    "variant",
    "device",
    "executor",
    "code",
    "reason",
    "message_id",
    "epoch",
)
_MICROSECONDS: Final = 1_000_000

Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="TYPE", help="Only this type, with or without .vN (repeatable)."
    ),
]
Stream = Annotated[UUID | None, typer.Option(help="Only this stream, for example a task.")]


def summary(event: Document) -> str:
    """The few fields by which people recognise an event."""
    data = cast("dict[str, object]", event["data"])
    return " ".join(f"{name}={plain(data[name])}" for name in _TELLING if data.get(name))


def event_line(event: Document) -> str:
    """One event as one line for people."""
    return "  ".join(each.text(event) for each in _COLUMNS)


def _time(event: Document) -> str:
    return clock(cast("int", event["time_us"]) / _MICROSECONDS)


_COLUMNS: Final = (
    column("position"),
    Column("time (UTC)", _time),
    column("type"),
    column("stream"),
    column("version"),
    column("tenant"),
    Column("summary", summary),
)


@app.callback()
def events() -> None:
    """Read the log: every decision, in order."""


@app.command("ls")
def list_events(
    *,
    after: Annotated[
        int, typer.Option(min=0, max=MAX_POSITION, help="Start behind this position.")
    ] = 0,
    last: Annotated[
        int | None, typer.Option(min=1, max=1000, help="The last N that match, whatever --limit.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    types: Topics = None,
    stream: Stream = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Events in log order. With --stream, --after counts versions of that stream."""
    topics = topics_of(types or ())

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            if last is not None:
                found = await last_events(client, last, topics=topics, stream=stream)
            else:
                found = await _first(client, limit, after, topics, stream)
        printer.rows([document(event) for event in found], _COLUMNS)
        return ExitCode.OK

    run(output, work)


async def _first(
    client: StackClient, limit: int, after: int, topics: tuple[str, ...], stream: UUID | None
) -> list[Recorded]:
    # An answer holds as many as fit into a message.
    found: list[Recorded] = []
    async with aclosing(whole_log(client, after, topics=topics, stream=stream)) as log:
        async for event in log:
            found.append(event)
            if len(found) == limit:
                break
    return found


@app.command()
def tail(
    *,
    after: Annotated[
        int | None,
        typer.Option(
            min=0, max=MAX_POSITION, help="Start behind this position, not with what comes."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    types: Topics = None,
    stream: Stream = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Follow the log, across restarts of the stack, until Ctrl-C."""
    topics = topics_of(types or ())

    async def work(printer: Printer) -> ExitCode:
        shown = 0
        try:
            following = follow(data, after=after, stream=stream, say=printer.say)
            async with aclosing(following) as found:
                async for event in found:
                    if topics and event.type not in topics:
                        continue
                    item = document(event)
                    printer.stream(item, event_line(item))
                    shown += 1
                    if shown == limit:
                        break
        finally:
            printer.end_stream()
        return ExitCode.OK

    run(output, work)


@app.command("get")
def get_event(
    position: Annotated[
        int, typer.Argument(min=1, max=MAX_POSITION, help="Its position in the log.")
    ],
    *,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """One event with all that is stored of it."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            asked = ListEvents(after=position - 1, limit=1)
            found = await client.ask("events", asked, list[Recorded])
            if not found or found[0].position != position:
                message = f"the log has no event at position {position}"
                raise rejected(
                    "no_such_event",
                    message,
                    "`pointsman events ls --last 10` shows the end of the log",
                )
        printer.item(document(found[0]))
        return ExitCode.OK

    run(output, work)
