"""The log that a question about the past is asked of: of a stack, of a backup, or any file."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.log_files import database_of, log_errors, require_file
from pointsman.cli.moments import Moment
from pointsman.eventstore.archive import ARCHIVE
from pointsman.eventstore.backup import LOG, open_backup
from pointsman.eventstore.postgres_copy import export_log

LogFile = Annotated[
    Path | None,
    typer.Option("--log", help="A log file by itself; its archive is looked for beside it."),
]
Backup = Annotated[
    Path | None, typer.Option("--backup", help="A backup; its files are checked first.")
]
Pools = Annotated[
    list[str] | None,
    typer.Option("--pool", help="Only this pool (repeatable); all that were ever led otherwise."),
]
Pool = Annotated[
    str | None, typer.Option("--pool", help="Which pool, where the log knows more than one.")
]


@asynccontextmanager
async def log_to_read(
    data: Path, *, log: Path | None, backup: Path | None, postgres: str | None
) -> AsyncGenerator[Path]:
    """The file of the log that is meant, which is only read; the stack may be running.

    A log in PostgreSQL is copied for as long as this takes, beside the archive of its directory.
    Raises `CommandError`.
    """
    if log is not None and backup is not None:
        raise typer.BadParameter("name either --log or --backup")
    with log_errors():
        if log is not None:
            yield _file(log)
        elif backup is not None:
            await asyncio.to_thread(open_backup, backup)
            yield backup / LOG
        elif (database := database_of(data, postgres)) is None:
            yield require_file(data)
        else:
            with _beside(data) as directory:
                yield await _copy(database, data, Path(directory))


def moment_arguments(name: str, moment: Moment) -> list[str | int | float]:
    """A moment as the time machine takes it; nothing for now."""
    if moment.position is not None:
        return [f"--{name}-position", moment.position]
    return [] if moment.time is None else [f"--{name}-time", moment.time]


def _file(log: Path) -> Path:
    if log.is_file():
        return log
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
