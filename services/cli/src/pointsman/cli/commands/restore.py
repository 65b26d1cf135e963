"""`pointsman restore`: a data directory as it was, from a backup."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.hints import data_flag
from pointsman.cli.log_files import log_errors
from pointsman.cli.moments import Moment, parse_moment
from pointsman.cli.options import DATA_VARIABLE, DEFAULT_DATA, Output, run
from pointsman.cli.output import OutputFormat, Printer, clock, counted
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.database import given_postgresql
from pointsman.cli.stack.log_place import OWN_POSTGRESQL, SQLITE, LogPlace
from pointsman.cli.stack_options import stack_errors
from pointsman.eventstore.database_backup import restore_database
from pointsman.eventstore.restoring import Restored, UndoneTask, cut_position, restore
from pointsman.runtime.servers import LocalPostgres

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_MICROSECONDS: Final = 1_000_000
_NAMED: Final = 20
"""Tasks that people are told of by name; programs get all."""

To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="POSITION|TIME",
        help="As it was then: a log position, or a time (UTC). The whole backup without it.",
    ),
]
New = Annotated[
    Path,
    typer.Option("--data", envvar=DATA_VARIABLE, help="The new data directory."),
]
InPostgres = Annotated[
    bool,
    typer.Option("--processes", help="Restore the log into PostgreSQL, for up --processes."),
]
Empty = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        metavar="DSN",
        envvar="POINTSMAN_DATABASE_URL",
        show_envvar=True,
        help="With --processes: an empty database, instead of one in the data directory. Give it "
        "in the environment: everybody on this machine can read arguments.",
    ),
]


@app.command("restore")
def restore_backup(
    backup: Annotated[Path, typer.Argument(help="A directory that `pointsman backup` made.")],
    *,
    to: To = None,
    data: New = DEFAULT_DATA,
    processes: InPostgres = False,
    postgres: Empty = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a new data directory from a backup, up to a position or a time.

    Says which tasks are lost and which may run again. `pointsman up` goes on from there, with
    --processes if the log was restored into PostgreSQL.
    """
    moment = parse_moment(to, option="--to")
    place, options = SQLITE, ""
    if postgres is not None and processes:
        place, options = given_postgresql(postgres), " --processes"
    elif processes:
        place, options = OWN_POSTGRESQL, " --processes"

    async def work(printer: Printer) -> ExitCode:
        with log_errors():
            # Before a directory is made that would look like a stack's.
            await asyncio.to_thread(cut_position, backup.absolute(), moment.position, moment.time)
        directory = DataDirectory(data, place)
        try:
            with log_errors(), stack_errors():
                restored = await _restore(backup.absolute(), directory, place, postgres, moment)
            directory.remember_log()
        finally:
            directory.release()
        printer.item(msgspec.to_builtins(restored), _report(restored, data, options))
        return ExitCode.OK

    run(output, work)


async def _restore(
    backup: Path, directory: DataDirectory, place: LogPlace, postgres: str | None, moment: Moment
) -> Restored:
    position, time = moment.position, moment.time
    if place == SQLITE:
        return await asyncio.to_thread(
            restore, backup, directory.path, position=position, time=time
        )
    if place.server and postgres is not None:
        return await restore_database(
            backup, directory.path, postgres, position=position, time=time
        )
    server = LocalPostgres(directory.postgres)
    await server.start()
    try:
        return await restore_database(
            backup, directory.path, server.dsn, position=position, time=time
        )
    finally:
        await server.stop()


def _report(restored: Restored, data: Path, options: str) -> str:
    lines = [
        f"restored to position {restored.position}"
        + (f" of {clock(restored.time_us / _MICROSECONDS)} UTC" if restored.position else ""),
        f"undone: {counted(restored.events_undone, 'later event')} of the backup",
        *_named(restored.lost, "accepted later and lost; send them again under their ids"),
        *_named(restored.may_run_again, "may run again"),
        f"start it with pointsman up{options}{data_flag(data)}",
    ]
    return "\n".join(lines)


def _named(tasks: tuple[UndoneTask, ...], what: str) -> list[str]:
    lines = [f"{counted(len(tasks), 'task')}: {what}"]
    lines += [
        f"  {task.task}  {task.tenant}  {task.family}  {task.message_id}  was {task.state}"
        for task in tasks[:_NAMED]
    ]
    if len(tasks) > _NAMED:
        lines.append(f"  and {len(tasks) - _NAMED} more (-o json names all)")
    return lines
