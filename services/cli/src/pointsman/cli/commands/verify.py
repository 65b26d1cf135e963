"""`pointsman verify`: is the log still what was written?"""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Final

import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.log_files import Database, database_of, log_errors, require_file
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, counted
from pointsman.eventstore.backup import LOG, MANIFEST, open_backup
from pointsman.eventstore.log_file import linked_pages
from pointsman.eventstore.postgres_copy import export_log
from pointsman.eventstore.verification import ChainCheck

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def verify(
    *,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Check the chain of hashes through the whole log; names the first event that does not fit.

    Changes nothing; the stack may be running. Of a backup all files are checked too. A log in
    PostgreSQL is copied into the data directory for as long as this takes.
    """

    async def work(printer: Printer) -> ExitCode:
        with log_errors():
            check = await _verify(data.absolute(), database_of(data, postgres))
        printer.item(
            {
                "ok": check.broken is None,
                "events": check.events,
                "position": check.position,
                "unlinked": check.unlinked,
                "link": check.link.hex(),
                "broken": None if check.broken is None else asdict(check.broken),
            },
            _words(check),
        )
        return ExitCode.OK if check.broken is None else ExitCode.FAILURE

    run(output, work)


async def _verify(data: Path, database: str | None) -> ChainCheck:
    if database is None:
        log = require_file(data)
        if (data / MANIFEST).exists():
            await asyncio.to_thread(open_backup, data)
        return await asyncio.to_thread(_check, log)
    # Beside the archive, whose events belong between those of the log.
    copy = data / f"{LOG}.verifying"
    copy.unlink(missing_ok=True)
    try:
        await export_log(database, copy)
        return await asyncio.to_thread(_check, copy)
    finally:
        copy.unlink(missing_ok=True)


def _check(log: Path) -> ChainCheck:
    check = ChainCheck()
    for page in linked_pages(log):
        check.take(page)
    return check


def _words(check: ChainCheck) -> str:
    broken = check.broken
    if broken is not None:
        return (
            f"event {broken.position} ({broken.topic}, stream {broken.stream}) is not what was "
            f"written: {broken.reason}\n"
            "keep the file as evidence and restore a backup: "
            "`pointsman restore BACKUP --data NEW-DIRECTORY`"
        )
    fits = "1 event fits" if check.events == 1 else f"{check.events} events fit"
    words = f"{fits}, the last link is {check.link.hex() or '-'}"
    if check.unlinked:
        words += f"\nwithout a link, being of other programs: {counted(check.unlinked, 'event')}"
    return words
