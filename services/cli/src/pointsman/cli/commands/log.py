"""`pointsman log`: the log as a whole."""

import time
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import typer

from pointsman.cli.author import author
from pointsman.cli.client import connected, record_of
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.log_files import database_of, log_errors, require_file
from pointsman.cli.moments import Moment, parse_moment
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, counted
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.contracts.commands import Archived, ArchiveTasks, Unavailable
from pointsman.eventstore.archive import ARCHIVE, Archive
from pointsman.eventstore.archived_log import ArchivedLog
from pointsman.eventstore.archiving import Archiving, last_movable
from pointsman.eventstore.backup import LOG
from pointsman.eventstore.sqlite import SqliteEventStore

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Before = Annotated[
    str,
    typer.Option(
        metavar="POSITION|TIME",
        help="Tasks that ended before this position of the log, or before this time (UTC).",
    ),
]


@app.callback()
def log() -> None:
    """The log as a whole."""


@app.command()
def archive(
    *,
    before: Before,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Move ended tasks out of the log into compressed files, which everything still reads.

    The scheduler does it while the stack runs; without a stack this command does. What is younger
    than an hour stays.
    """
    moment = parse_moment(before, option="--before")
    data = data.absolute()

    async def work(printer: Printer) -> ExitCode:
        moves = await (_by_scheduler(data, moment) if _runs(data) else _here(data, moment))
        events = sum(each.events for each in moves)
        tasks = sum(each.tasks for each in moves)
        size = sum(each.size for each in moves)
        segments = [each.segment for each in moves if each.segment]
        printer.item(
            {
                "tasks": tasks,
                "events": events,
                "bytes": size,
                "segments": segments,
                "upto": moves[-1].upto,
            },
            f"{counted(tasks, 'ended task')} with {counted(events, 'event')} moved to "
            f"{counted(len(segments), 'file')} of {size / 2**20:.1f} MiB in {data / ARCHIVE}",
        )
        return ExitCode.OK

    run(output, work)


def _runs(data: Path) -> bool:
    return record_of(data) is not None


async def _by_scheduler(data: Path, moment: Moment) -> list[Archived]:
    moves: list[Archived] = []
    async with connected(data) as client:
        while not moves or moves[-1].more:
            command = ArchiveTasks(
                command_id=str(uuid4()),
                by=author(),
                before_position=moment.position,
                before_time=moment.time,
                after=moves[-1].upto if moves else 0,
            )
            answer = await client.archive(command)
            if not isinstance(answer, Archived):
                message = answer.message if isinstance(answer, Unavailable) else str(answer)
                raise CommandError(
                    f"not archived: {message}",
                    code="not_archived",
                    exit_code=ExitCode.FAILURE,
                    next_step="free space or repair what it names, then repeat: nothing is lost",
                )
            moves.append(answer)
    return moves


async def _here(data: Path, moment: Moment) -> list[Archived]:
    """As the only process that appends to the log; refused while another one does."""
    database_of(data, None)
    require_file(data)
    directory = DataDirectory(data)
    try:
        with log_errors():
            async with SqliteEventStore(directory.path / LOG) as store:
                return await _move_all(
                    ArchivedLog(store, Archive(directory.path / ARCHIVE)), moment
                )
    finally:
        directory.release()


async def _move_all(whole: ArchivedLog, moment: Moment) -> list[Archived]:
    upto = await last_movable(
        whole, before_position=moment.position, before_time=moment.time, now=time.time()
    )
    moving, moves = Archiving(whole), list[Archived]()
    while not moves or moves[-1].more:
        moved = await moving.move(upto, after=moves[-1].upto if moves else 0)
        moves.append(
            Archived(
                upto=moved.upto,
                more=moved.more,
                events=moved.events,
                tasks=moved.streams,
                segment=moved.segment,
                size=moved.size,
            )
        )
    return moves
