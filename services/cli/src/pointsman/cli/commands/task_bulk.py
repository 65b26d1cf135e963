"""`pointsman task submit-many` and `task cancel`: many tasks with one command."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import msgspec
import typer

from pointsman.cli.author import author
from pointsman.cli.bulks import states_of
from pointsman.cli.client import StackClient, connected
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, counted
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.cli.steering import IfReason, checked_reason
from pointsman.cli.submitting import check_name, check_tenant
from pointsman.cli.task_lines import LineAnswer, Lines, numbered, submit_lines
from pointsman.cli.task_options import Bulk
from pointsman.cli.task_rows import ended, find_task
from pointsman.contracts.bulk import AskBulk, BulkCancelled, CancelBulk
from pointsman.contracts.commands import CancelTask, Done
from pointsman.contracts.queries import TaskRow
from pointsman.contracts.task_states import TaskState

Tenant = Annotated[str, typer.Option(help="On whose behalf.")]


def submit_many(
    file: Annotated[Path, typer.Argument(help="One JSON object per line; - for standard input.")],
    *,
    bulk: Bulk = None,
    tenant: Tenant = DEFAULT_TENANT,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Queue a task per line; a line that is refused is said with its number, the rest is queued.

    A line holds what `pointsman.task.submit.v1` does (family and text at least) and may hold an id
    of its own. With --bulk, lines without an id are known by their number, so that the same file
    can be sent again.
    """

    async def work(printer: Printer) -> ExitCode:
        check_tenant("--tenant", tenant)
        check_name("--bulk", bulk)
        how = Lines(tenant=tenant, bulk=bulk, now=time.time())
        counts: Counter[str] = Counter()
        with numbered(file) as lines:
            await _send(printer, data, lines, how, counts)
        return ExitCode.FAILURE if counts["refused"] else ExitCode.OK

    run(output, work)


async def _send(
    printer: Printer,
    data: Path,
    lines: Iterator[tuple[int, bytes]],
    how: Lines,
    counts: Counter[str],
) -> None:
    """Send each line and tell what became of it; `counts` has them by their status."""
    async with connected(data) as client:
        try:
            async with aclosing(submit_lines(client, lines, how)) as answers:
                async for answer in answers:
                    counts[answer.status] += 1
                    _tell(printer, answer)
        finally:
            if not printer.for_people:
                printer.end_stream()
            said = (f"{counts[each]} {each}" for each in ("accepted", "duplicate", "refused"))
            printer.say(", ".join(said))


def _tell(printer: Printer, answer: LineAnswer) -> None:
    if not printer.for_people:
        printer.stream(answer.document(), "")
    elif answer.code:
        printer.line(f"line {answer.line}: {answer.message} [{answer.code}]")


def cancel(
    task_id: Annotated[UUID | None, typer.Argument(metavar="[ID]", help="The task.")] = None,
    *,
    bulk: Annotated[
        str | None, typer.Option(metavar="NAME", help="All tasks of this bulk instead.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose bulk it is.")] = DEFAULT_TENANT,
    reason: IfReason = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """End a task or a bulk; running calls are stopped. A task that has ended stays so (exit 5)."""
    if (task_id is None) == (bulk is None):
        raise typer.BadParameter("name a task, or a bulk with --bulk")
    by = author()

    async def work(printer: Printer) -> ExitCode:
        check_tenant("--tenant", tenant)
        check_name("--bulk", bulk)
        why = checked_reason(reason)
        async with connected(data) as client:
            if bulk is not None:
                command = CancelBulk(
                    command_id=str(uuid4()), tenant=tenant, bulk=bulk, by=by, reason=why
                )
                await _cancel_bulk(printer, client, command)
            elif task_id is not None:
                one = CancelTask(command_id=str(uuid4()), task=task_id, by=by, reason=why)
                await _cancel_task(printer, client, one)
        return ExitCode.OK

    run(output, work)


async def _cancel_task(printer: Printer, client: StackClient, command: CancelTask) -> None:
    row = await find_task(client, command.task)
    _require_open(row)
    answer = await client.cancel(command, pool=row.pool or None)
    row = await find_task(client, command.task)
    if ended(row) and row.state != TaskState.CANCELLED.value:
        _require_open(row)
    detail = answer.detail if isinstance(answer, Done) else ""
    printer.item({"task": str(command.task), "detail": detail}, detail)


async def _cancel_bulk(printer: Printer, client: StackClient, command: CancelBulk) -> None:
    pools = client.record.pools
    cancelled = 0
    for pool in pools:
        # A repetition is known by its id in the whole group.
        own = command.command_id if len(pools) == 1 else f"{command.command_id}-{pool}"
        asked = msgspec.structs.replace(command, command_id=own)
        cancelled += await _cancel_in(client, pool, asked)
    if not cancelled:
        # That all of its tasks have ended is one thing, that it has none another.
        await states_of(client, AskBulk(tenant=command.tenant, bulk=command.bulk))
    shown = {"bulk": command.bulk, "tenant": command.tenant, "cancelled": cancelled}
    printer.item(shown, f"{counted(cancelled, 'task')} cancelled")


async def _cancel_in(client: StackClient, pool: str, command: CancelBulk) -> int:
    cancelled, left = 0, True
    while left:
        answer = await client.command(SCHEDULER, "cancel_bulk", command, pool=pool)
        if not isinstance(answer, BulkCancelled):
            raise CommandError(
                f"the answer cannot be read: {answer!r}",
                code="unreadable_answer",
                exit_code=ExitCode.FAILURE,
                next_step="use the release that started the stack",
            )
        cancelled += answer.cancelled
        left = answer.left > 0
    return cancelled


def _require_open(row: TaskRow) -> None:
    if ended(row):
        raise CommandError(
            f"there is nothing to cancel: task {row.task} is {row.state}",
            code="task_ended",
            exit_code=ExitCode.CONFLICT,
            next_step=f"see how it ended: pointsman task why {row.task}",
        )
