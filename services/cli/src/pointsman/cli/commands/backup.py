"""`pointsman backup`: a copy of the log and the blobs, also while the stack runs."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.log_files import Database, database_of, log_errors
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, clock, counted
from pointsman.eventstore.backup import BLOBS, Manifest, back_up
from pointsman.eventstore.database_backup import back_up_database

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_MICROSECONDS: Final = 1_000_000


@app.command()
def backup(
    into: Annotated[Path, typer.Argument(help="A new or empty directory.")],
    *,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Copy the log and the blobs of a data directory; the stack may be running.

    The copy is checked, and only complete once its manifest is written. The PostgreSQL that a stack
    has started for itself is found while the stack runs.
    """

    async def work(printer: Printer) -> ExitCode:
        with log_errors():
            manifest = await _back_up(data.absolute(), into.absolute(), postgres)
        taken = clock(manifest.time_us / _MICROSECONDS) if manifest.position else "-"
        shards = sum(name.startswith(f"{BLOBS}/") for name in manifest.files)
        text = (
            f"{into}: {counted(manifest.position, 'event')}, the last of {taken} UTC, and "
            f"{counted(shards, 'blob shard')}"
        )
        printer.item(msgspec.to_builtins(manifest), text)
        return ExitCode.OK

    run(output, work)


async def _back_up(data: Path, into: Path, postgres: str | None) -> Manifest:
    database = database_of(data, postgres)
    if database is None:
        return await asyncio.to_thread(back_up, data, into)
    return await back_up_database(database, data, into)
