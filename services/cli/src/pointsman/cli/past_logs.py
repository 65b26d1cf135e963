"""The log that a question about the past is asked of: of a stack, of a backup, or any file."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.hints import at_data
from pointsman.cli.log_files import database_of, log_errors, require_file
from pointsman.cli.moments import parse_moment
from pointsman.cli.options import run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.time_machine import Report, ask_time_machine
from pointsman.eventstore.archive import ARCHIVE
from pointsman.eventstore.backup import LOG, open_backup
from pointsman.eventstore.postgres_copy import export_log

LogFile = Annotated[
    Path | None,
    typer.Option("--log", help="A log file or its directory; its archive lies beside it."),
]
LogFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--log",
        help="A log file or its directory; its archive lies beside it (repeatable).",
    ),
]
Backup = Annotated[
    Path | None, typer.Option("--backup", help="A backup; its files are checked first.")
]
Backups = Annotated[
    list[Path] | None,
    typer.Option("--backup", help="A backup; its files are checked first (repeatable)."),
]
Pools = Annotated[
    list[str] | None,
    typer.Option("--pool", help="Only this pool (repeatable); all that were ever led otherwise."),
]
Pool = Annotated[
    str | None, typer.Option("--pool", help="Which pool, where the log knows more than one.")
]
From = Annotated[
    str | None, typer.Option("--from", metavar="POSITION|TIME", help="Default: the beginning.")
]
To = Annotated[str | None, typer.Option("--to", metavar="POSITION|TIME", help="Default: the end.")]

Argument = str | int | float


class PastLog(NamedTuple):
    """Which log is meant; without `log` and `backup` that of the data directory."""

    data: Path
    postgres: str | None = None
    log: Path | None = None
    backup: Path | None = None

    @property
    def name(self) -> str:
        """What it was named by."""
        return str(self.log or self.backup or self.data)


def answer_from(
    log: PastLog,
    verb: str,
    *asked: Argument,
    output: OutputFormat,
    show: Callable[[Printer, Report], None],
) -> None:
    """Ask the time machine about a log; `show` tells people, programs get the report as it is."""

    async def work(printer: Printer) -> ExitCode:
        report = await report_on(log, verb, *asked, printer=printer)
        if printer.for_people:
            show(printer, report)
        else:
            printer.item(report)
        return ExitCode.OK

    run(output, work)


async def report_on(log: PastLog, verb: str, *asked: Argument, printer: Printer) -> Report:
    """What the time machine says about a log; raises `CommandError`."""
    async with _file_of(log) as file:
        try:
            return await ask_time_machine(verb, "--log", file, *asked, say=printer.say)
        except CommandError as error:
            if log.log is None and log.backup is None:
                error.next_step = at_data(error.next_step, log.data)
            raise


def moment_arguments(option: str, text: str | None) -> Sequence[Argument]:
    """A moment as the time machine takes it; nothing if none is named.

    Raises `typer.BadParameter`.
    """
    moment = parse_moment(text, option=f"--{option}")
    if moment.position is not None:
        return [f"--{option}-position", moment.position]
    return [] if moment.time is None else [f"--{option}-time", moment.time]


def pool_arguments(*pools: str | None) -> Sequence[Argument]:
    """The pools that are meant, those that are named."""
    return [word for pool in pools if pool is not None for word in ("--pool", pool)]


@asynccontextmanager
async def _file_of(log: PastLog) -> AsyncGenerator[Path]:
    """The file, which is only read; the stack may be running.

    A log in PostgreSQL is copied for as long as this takes, beside the archive of its directory.
    """
    if log.log is not None and log.backup is not None:
        raise typer.BadParameter("name one of --log and --backup")
    data = log.data.absolute()
    with log_errors():
        if log.log is not None:
            yield _named(log.log)
        elif log.backup is not None:
            await asyncio.to_thread(open_backup, log.backup)
            yield log.backup / LOG
        elif (database := database_of(data, log.postgres)) is None:
            yield require_file(data)
        else:
            with _beside(data) as directory:
                yield await _copy(database, data, Path(directory))


def _named(log: Path) -> Path:
    if log.is_file():
        return log
    if (log / LOG).is_file():
        return log / LOG
    raise CommandError(
        f"there is no log file {log}",
        code="log_missing",
        exit_code=ExitCode.NOT_FOUND,
        next_step="name the file of a log, or its directory with --data",
    )


def _beside(data: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="log-", dir=data if data.is_dir() else None)


async def _copy(database: str, data: Path, directory: Path) -> Path:
    copy = directory / LOG
    await export_log(database, copy)
    if (data / ARCHIVE).is_dir():
        (directory / ARCHIVE).symlink_to((data / ARCHIVE).absolute())
    return copy
