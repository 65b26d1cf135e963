"""`pointsman schedule`: what is done again and again, tasks and warm-ups."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import typer

from pointsman.cli.author import author
from pointsman.cli.client import StackClient, connected
from pointsman.cli.documents import document
from pointsman.cli.failures import CommandError, ExitCode, InvalidOptionError
from pointsman.cli.group import ask_rows
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import Column, Document, OutputFormat, Printer, clock, column, plain
from pointsman.cli.schedule_wish import MAX_ATTEMPTS, ScheduleWish
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.cli.steering import IfReason, Reason, checked_reason, said
from pointsman.cli.submitting import check_name, check_tenant, read_payload
from pointsman.cli.task_options import (
    Class,
    Degraded,
    InputFile,
    MaxAttempts,
    Parameters,
)
from pointsman.contracts.commands import Done
from pointsman.contracts.events import MissedTimes
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.schedules import (
    ListSchedules,
    PauseSchedule,
    RemoveSchedule,
    ResumeSchedule,
    ScheduleRow,
    ScheduleSteering,
    SetSchedule,
)

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


def warms_up(row: Document) -> str:
    """The variant, and its device if one is named."""
    return plain(" on ".join(str(row[key]) for key in ("warm_up", "warm_up_device") if row[key]))


_COLUMNS: Final = (
    column("name"),
    column("tenant"),
    column("cron"),
    column("zone", "timezone"),
    column("family"),
    Column("warms up", warms_up),
    column("next due (UTC)", "next_due", clock),
    column("last due (UTC)", "last_due", clock),
    column("fired"),
    column("missed"),
    column("last missed", "last_missed"),
    column("paused"),
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Names it inside its tenant.")]
Tenant = Annotated[str, typer.Option(help="On whose behalf.")]
CronTimes = Annotated[
    str, typer.Option(help="Minute, hour, day of month, month, day of week: '*/5 * * * *'.")
]
Family = Annotated[
    str | None, typer.Option(help="What kind of work its tasks are, for example summarize.")
]
Warm = Annotated[
    str | None, typer.Option(metavar="VARIANT", help="Make no tasks, but have this variant loaded.")
]
WarmDevice = Annotated[
    str | None, typer.Option(help="Load it there; without, where it suits best.")
]
Missed = Annotated[
    MissedTimes | None, typer.Option(help="One task for missed times (as without it), or none.")
]
Deadline = Annotated[
    str | None, typer.Option(help="How long after it was made its result is of use: 30s, 2h.")
]


@app.callback()
def schedule() -> None:
    """Have tasks made, or models loaded, at the due times of cron expressions."""


@app.command("set")
def set_schedule(  # noqa: PLR0913 - one parameter per option
    name: Name,
    text: Annotated[str | None, typer.Option(help="The input of each task.")] = None,
    *,
    cron: CronTimes,
    family: Family = None,
    warm: Warm = None,
    device: WarmDevice = None,
    file: InputFile = None,
    tz: Annotated[str, typer.Option(help="The zone of its times: Europe/Berlin, UTC.")] = "UTC",
    missed: Missed = None,
    priority_class: Class = PriorityClass.STANDARD,
    deadline: Deadline = None,
    model: Annotated[str | None, typer.Option(help="Only this variant.")] = None,
    boost: Annotated[float, typer.Option(min=0, max=300, help="Due earlier by seconds.")] = 0.0,
    min_quality: Annotated[float, typer.Option(min=0, max=1, help="Not below this.")] = 0.0,
    allow_degradation: Degraded = None,
    max_attempts: MaxAttempts = MAX_ATTEMPTS,
    param: Parameters = None,
    tenant: Tenant = DEFAULT_TENANT,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Have a task made at each due time from now on, or with --warm a model loaded.

    Replaces a schedule of the same name.
    """
    wish = ScheduleWish(
        name, tenant, cron, tz, missed, family, model, priority_class, deadline, boost,
        allow_degradation, min_quality, max_attempts, tuple(param or ()),
    )  # fmt: skip

    async def work(printer: Printer) -> ExitCode:
        return await _set(printer, _wanted(wish, text, file, warm, device), data)

    run(output, work)


@app.command("ls")
def list_schedules(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Schedules: when they are due next, how often they were seen to, and what was missed."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            asked = ListSchedules(tenant=tenant)
            rows = await ask_rows(client, "schedules", asked, ScheduleRow, printer=printer)
        printer.rows([document(row) for row in rows], _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command("rm")
def remove(
    name: Name,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    reason: IfReason = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Do nothing more at its due times; tasks that were made go on."""

    async def work(printer: Printer) -> ExitCode:
        _check(tenant, name)
        command = RemoveSchedule(
            command_id=str(uuid4()),
            tenant=tenant,
            name=name,
            by=author(),
            reason=checked_reason(reason),
        )
        async with connected(data) as client:
            if await _row(client, tenant, name) is None:
                raise no_such_schedule(tenant, name)
            answer = await client.command(
                SCHEDULER, "remove_schedule", command, pool=client.record.pool
            )
        detail = answer.detail if isinstance(answer, Done) else ""
        printer.item({"name": name, "detail": detail}, detail)
        return ExitCode.OK

    run(output, work)


@app.command()
def pause(
    name: Name,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Do nothing at its due times until it resumes; they are not made up for."""

    def command() -> PauseSchedule:
        return PauseSchedule(**said(reason), tenant=tenant, name=name)

    _steer(command, data, output)


@app.command()
def resume(
    name: Name,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Let a paused schedule go on with its next due time."""

    def command() -> ResumeSchedule:
        return ResumeSchedule(**said(reason), tenant=tenant, name=name)

    _steer(command, data, output)


def _steer(make: Callable[[], ScheduleSteering], data: Path, output: OutputFormat) -> None:
    async def work(printer: Printer) -> ExitCode:
        command = make()
        _check(command.tenant, command.name)
        async with connected(data) as client:
            answer = await client.command(
                SCHEDULER, "steer_schedule", command, pool=client.record.pool
            )
        detail = answer.detail if isinstance(answer, Done) else ""
        printer.item({"name": command.name, "detail": detail}, detail)
        return ExitCode.OK

    run(output, work)


def _check(tenant: str, name: str) -> None:
    check_tenant("--tenant", tenant)
    check_name("NAME", name)


def _wanted(
    wish: ScheduleWish, text: str | None, file: Path | None, warm: str | None, device: str | None
) -> SetSchedule:
    if warm is None and device is not None:
        raise InvalidOptionError("--device says where --warm loads a model")
    if warm is None and wish.family is None:
        raise InvalidOptionError("name --family with the input of its tasks, or --warm")
    if warm is None:
        return wish.command(read_payload(text, file, ways="with --text or --file"), by=author())
    if text is not None or file is not None:
        raise InvalidOptionError("--text and --file are about tasks, and --warm makes none")
    return wish.warm_up(warm, device or "", by=author())


async def _set(printer: Printer, wanted: SetSchedule, data: Path) -> ExitCode:
    async with connected(data) as client:
        answer = await client.command(SCHEDULER, "set_schedule", wanted, pool=client.record.pool)
        row = await _row(client, wanted.tenant, wanted.name)
    detail = answer.detail if isinstance(answer, Done) else ""
    next_due = None if row is None else row.next_due
    when = f"next due {clock(next_due)} (UTC)" if next_due is not None else "not due any more"
    if row is not None and row.paused:
        when = f"not due while it is paused by {row.paused}"
    printer.item({"name": wanted.name, "detail": detail, "next_due": next_due}, f"{detail}; {when}")
    return ExitCode.OK


async def _row(client: StackClient, tenant: str, name: str) -> ScheduleRow | None:
    asked, pools = ListSchedules(tenant=tenant), client.record.pools
    first = pools[0] if len(pools) > 1 else None
    rows = await client.ask("schedules", asked, list[ScheduleRow], pool=first)
    return next((row for row in rows if row.name == name), None)


def no_such_schedule(tenant: str, name: str) -> CommandError:
    """Nothing was removed; the name or the tenant is another."""
    return CommandError(
        f"tenant {tenant} has no schedule {name!r}",
        code="no_such_schedule",
        exit_code=ExitCode.NOT_FOUND,
        next_step="`pointsman schedule ls` shows the schedules",
    )
