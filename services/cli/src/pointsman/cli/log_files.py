"""Where the log of a data directory is, and what goes wrong with its files, as commands say it."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.stack.record import read_record
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
    """DSN of the log's database; None: the log is the SQLite file of the directory."""
    if given is not None:
        return given
    record = read_record(data)
    return (record.database_url or None) if record is not None else None


@contextmanager
def log_errors() -> Generator[None]:
    """Turn what a log's files refuse into a `CommandError`."""
    try:
        yield
    except FatalError as error:
        message = str(error).removesuffix(f" {error.next_step}")
        raise CommandError(
            message, code=error.code, exit_code=ExitCode.FAILURE, next_step=error.next_step
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise CommandError(
            f"the files of the log cannot be used: {error}",
            code="log_files_unusable",
            exit_code=ExitCode.FAILURE,
            next_step="free space or repair what it names, then repeat",
        ) from error
