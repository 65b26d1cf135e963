"""Where the log of a data directory is, and what goes wrong with its files, as commands say it."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import psutil
import typer

from pointsman.cli.failures import CommandError, ExitCode, file_status, why_not
from pointsman.cli.stack.database import given_postgresql, refused
from pointsman.cli.stack.log_place import SQLITE, LogPlace, read_place
from pointsman.cli.stack.record import UnreadableRecordError, read_record
from pointsman.eventstore.backup import LOG
from pointsman.runtime.errors import FatalError

Database = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        metavar="DSN",
        envvar="POINTSMAN_DATABASE_URL",
        show_envvar=True,
        help="The PostgreSQL that holds the log. Give it in the environment: everybody on this "
        "machine can read arguments, and it holds a password.",
    ),
]


def database_of(data: Path, given: str | None) -> str | None:
    """DSN of the database that holds the log of a directory; None: it is the directory's own file.

    What the directory says of itself comes before `given`, which may be set for another one.
    Raises `CommandError`: `log_elsewhere`, `database_stopped` or `data_directory_unusable`.
    """
    place = _place_of(data)
    if place is None and given is not None and not (data / LOG).exists():
        return given
    if place is None or place == SQLITE:
        return None
    if not place.server:
        return _own_database(data)
    if given is None or given_postgresql(given) != place:
        raise CommandError(
            f"the log of {data} is in {place}, which was not given",
            code="log_elsewhere",
            exit_code=ExitCode.CONFLICT,
            next_step="name that server in POINTSMAN_DATABASE_URL",
        )
    return given


def require_file(data: Path) -> Path:
    """The SQLite log of a directory; raises `CommandError`: `log_missing`."""
    log = data / LOG
    if not log.exists():
        raise CommandError(
            f"there is no log in {data}",
            code="log_missing",
            exit_code=ExitCode.NOT_FOUND,
            next_step="name the data directory of a stack, or a backup, with --data",
        )
    return log


def _place_of(data: Path) -> LogPlace | None:
    try:
        return read_place(data)
    except (OSError, ValueError) as error:
        raise _unusable(data, error) from error


def _own_database(data: Path) -> str:
    try:
        record = read_record(data)
    except UnreadableRecordError as error:
        raise _unusable(data, error) from error
    if record is None or not psutil.pid_exists(record.pid):
        raise CommandError(
            f"the log of {data} is in its own PostgreSQL, which runs only with its stack",
            code="database_stopped",
            exit_code=ExitCode.UNREACHABLE,
            next_step=f"start it with pointsman up --processes --data {data}",
        )
    return record.database_url


def _unusable(data: Path, error: Exception) -> CommandError:
    return CommandError(
        f"{data} cannot be used as data directory: {why_not(error, named=data)}",
        code="data_directory_unusable",
        exit_code=file_status(error),
        next_step="name the data directory of a stack, or repair what it names",
    )


@contextmanager
def log_errors() -> Generator[None]:
    """Turn what a log's files or its database refuse into a `CommandError`."""
    try:
        yield
    except FatalError as error:
        raise refused(error) from error
    except (sqlite3.Error, OSError) as error:
        raise CommandError(
            f"the files of the log cannot be used: {why_not(error)}",
            code="log_files_unusable",
            exit_code=file_status(error),
            next_step="free space or repair what it names, then repeat",
        ) from error
