"""`pointsman state`: the pool as it was at any moment, from the log alone."""

from typing import Any, Final

import typer

from pointsman.cli.log_files import Database
from pointsman.cli.moments import At
from pointsman.cli.options import DEFAULT_DATA, Data, Output
from pointsman.cli.output import Document, OutputFormat, Printer, clock, column, counted, seconds
from pointsman.cli.past_logs import (
    Backup,
    LogFile,
    PastLog,
    Pool,
    answer_from,
    moment_arguments,
    pool_arguments,
)
from pointsman.cli.time_machine import Report

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_CLASSES: Final = (
    column("family"),
    column("variants"),
    column("waiting"),
    column("oldest", "oldest_s", seconds),
    column("first due in", "due_in_s", seconds),
    column("devices"),
)
_DEVICES: Final = (
    column("device"),
    column("mode"),
    column("state"),
    column("slots"),
    column("occupied"),
    column("resident"),
    column("changing"),
    column("reason"),
    column("credit", "credit_s", seconds),
)
_LEASES: Final = (
    column("task"),
    column("attempt"),
    column("device"),
    column("variant"),
    column("granted ago", "granted_s_ago", seconds),
)
_TENANTS: Final = (
    column("tenant"),
    column("waiting"),
    column("running"),
    column("weight"),
    column("device time", "device_s", seconds),
)
_LEASES_SHOWN: Final = 20


@app.command()
def state(
    *,
    at: At = None,
    pool: Pool = None,
    log: LogFile = None,
    backup: Backup = None,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Queue, devices, leases, tenants and what else decisions stood on, as it was then.

    A time is taken as the last event that was recorded at or before it; what lies outside of the
    log is refused. The stack may be running.
    """
    where = PastLog(data, postgres, log, backup)
    asked = (*moment_arguments("at", at), *pool_arguments(pool))
    answer_from(where, "state", *asked, output=output, show=_show)


def _show(printer: Printer, report: Report) -> None:
    queue: dict[str, Any] = report["queue"]
    printer.line(
        f"pool {report['pool']} at position {report['position']}, {clock(report['at'])} UTC: "
        f"led by {report['leader'] or 'nobody'} (epoch {report['epoch']}), level {report['level']}"
    )
    printer.line(
        f"{report['queued']} waiting ({queue['held']} held, {queue['for_tasks']} for other tasks, "
        f"{queue['for_a_time']} for a time), {report['granted']} granted"
    )
    _table(printer, [_class(each) for each in queue["classes"]], _CLASSES)
    _table(printer, [_device(each) for each in report["devices"]], _DEVICES)
    _table(printer, report["leases"][:_LEASES_SHOWN], _LEASES)
    _table(printer, report["tenants"], _TENANTS)
    for each in report["standing"]:
        printer.line(f"{each['what']}: {each['because']} (position {each['position']})")
    for words in report["breakers"]:
        printer.line(words)
    printer.line(f"{counted(report['folded'], 'event')} folded in {seconds(report['seconds'])}")


def _class(each: dict[str, Any]) -> Document:
    return {**each, "due_in_s": each["heads"][0]["due_in_s"]}


def _device(each: dict[str, Any]) -> Document:
    return {**each, "resident": list(each["resident"])}


def _table(printer: Printer, rows: list[Any], columns: Any) -> None:  # noqa: ANN401 - a report's rows
    if rows:
        printer.line("")
        printer.rows(rows, columns)
