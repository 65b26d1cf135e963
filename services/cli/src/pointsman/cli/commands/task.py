"""`pointsman task`: submit, look, follow, explain, cancel."""

from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from pointsman.cli.client import StackClient, connected
from pointsman.cli.commands import task_bulk, task_steering, task_wait
from pointsman.cli.commands.events import event_line
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.feed import FeedBell, follow
from pointsman.cli.group import ANY, ask_owner, ask_tasks, named_pools
from pointsman.cli.large_inputs import by_reference
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.showing import show_task
from pointsman.cli.stack.plan import DEFAULT_TENANT
from pointsman.cli.streaming import show_stream
from pointsman.cli.submitting import Wish, read_payload
from pointsman.cli.task_options import (
    After,
    Bulk,
    Cached,
    Class,
    ContextTokens,
    Conversation,
    Deadline,
    Degraded,
    Family,
    InPool,
    InputFile,
    MaxAttempts,
    NotBefore,
    OwnId,
    Parameters,
    Project,
    ResultTo,
    TaskId,
    Text,
    Timeout,
    check_result_option,
)
from pointsman.cli.task_rows import COLUMNS, find_task, wait_for_end
from pointsman.contracts.commands import Duplicate, SubmitTask
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.queries import ListTasks, Why
from pointsman.contracts.task_states import TERMINAL, TaskState
from pointsman.runtime.blobs import MAX_BLOB_BYTES

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COMPLETED: Final = TaskState.COMPLETED.value
_ENDS: Final = frozenset(f"task.{state.value}.v1" for state in TERMINAL)


@app.callback()
def task() -> None:
    """Submit tasks, follow them, ask why."""


@app.command()
def submit(  # noqa: PLR0913 - one parameter per option
    family: Family,
    text: Text = None,
    *,
    file: InputFile = None,
    priority_class: Class = PriorityClass.STANDARD,
    deadline: Deadline = None,
    model: Annotated[str | None, typer.Option(help="Only this variant.")] = None,
    tenant: Annotated[str, typer.Option(help="On whose behalf.")] = DEFAULT_TENANT,
    boost: Annotated[float, typer.Option(min=0, max=300, help="Due earlier by seconds.")] = 0.0,
    min_quality: Annotated[float, typer.Option(min=0, max=1, help="Not below this.")] = 0.0,
    allow_degradation: Degraded = None,
    max_attempts: MaxAttempts = 3,
    param: Parameters = None,
    task_id: OwnId = None,
    project: Project = None,
    conversation: Conversation = None,
    context_tokens: ContextTokens = 0,
    cache: Cached = False,
    not_before: NotBefore = None,
    after: After = None,
    bulk: Bulk = None,
    pool: InPool = ANY,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result.")] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Show the text as it comes.")] = False,
    timeout: Timeout = 60.0,
    result: ResultTo = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Queue a task; prints its id, with --wait its result, with --stream its text as it comes."""
    wish = Wish(
        family, tenant, priority_class, deadline, model, boost, min_quality,
        allow_degradation, max_attempts, tuple(param or ()), task_id,
        project, conversation, context_tokens, cache, not_before, tuple(after or ()), bulk,
    )  # fmt: skip
    check_result_option(result, output, wait=wait and not stream)

    async def work(printer: Printer) -> ExitCode:
        command = wish.command(read_payload(text, file, most=MAX_BLOB_BYTES))
        async with connected(data) as client:
            command = await by_reference(command, client.record.data)
            into = None if pool == ANY else named_pools(client, pool)[0]
            if stream:
                row = await show_stream(printer, client, command, into, timeout_s=timeout)
                return ExitCode.OK if row.state == _COMPLETED else ExitCode.TASK_FAILED
            return await _submit(printer, client, command, into, timeout if wait else None, result)

    run(output, work)


async def _submit(
    printer: Printer,
    client: StackClient,
    command: SubmitTask,
    pool: str | None,
    wait_s: float | None,
    result: Path | None,
) -> ExitCode:
    bell = FeedBell()
    if wait_s is not None:
        await bell.listen(client)
    answer = await client.submit(command, pool=pool)
    if wait_s is None:
        status = "duplicate" if isinstance(answer, Duplicate) else "accepted"
        shown = {"task": str(answer.task), "status": status, "position": answer.position}
        printer.item(shown, str(answer.task))
        return ExitCode.OK
    printer.say(f"task {answer.task}")
    row = await wait_for_end(client, bell, answer.task, timeout_s=wait_s, say=printer.say)
    await show_task(printer, client, row, result)
    return ExitCode.OK if row.state == _COMPLETED else ExitCode.TASK_FAILED


@app.command()
def get(
    task_id: TaskId,
    *,
    result: ResultTo = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """One task with its result."""
    check_result_option(result, output)

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            await show_task(printer, client, await find_task(client, task_id), result)
        return ExitCode.OK

    run(output, work)


@app.command("ls")
def list_tasks(  # noqa: PLR0913 - one parameter per option
    *,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant.")] = None,
    state: Annotated[TaskState | None, typer.Option(help="Only in this state.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this family.")] = None,
    bulk: Annotated[str | None, typer.Option(help="Only of this bulk.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Only made by this schedule.")] = None,
    pool: Annotated[str | None, typer.Option(help="Only in this pool.")] = None,
    parts: Annotated[bool, typer.Option("--parts", help="Also parts of other tasks.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Tasks, newest first."""
    asked = ListTasks(
        parts=parts,
        tenant=tenant,
        state=state.value if state else None,
        family=family,
        bulk=bulk,
        schedule=schedule,
        pool=pool,
        limit=limit,
    )

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            named_pools(client, pool or ANY)
            rows = await ask_tasks(client, asked)
        printer.rows([document(row) for row in rows], COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command()
def watch(
    task_id: Annotated[UUID | None, typer.Argument(metavar="[ID]", help="Only this one.")] = None,
    *,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Follow one task to its end, or all tasks until Ctrl-C; also across restarts of the stack."""

    async def work(printer: Printer) -> ExitCode:
        after = None
        if task_id is not None:
            async with connected(data) as client:
                await find_task(client, task_id)
                after = await _before(client, task_id)
        try:
            return await _watch(printer, data, task_id, after)
        finally:
            printer.end_stream()

    run(output, work)


async def _before(client: StackClient, task_id: UUID) -> int:
    """The position before the task's first event."""
    why_it = await ask_owner(client, "why", task_id, Why)
    return min(why_it.positions, default=1) - 1


async def _watch(printer: Printer, data: Path, task_id: UUID | None, after: int | None) -> ExitCode:
    following = follow(data, after=after, stream=task_id, say=printer.say)
    async with aclosing(following) as events:
        async for event in events:
            if not event.type.startswith("task."):
                continue
            item = document(event)
            printer.stream(item, event_line(item))
            if task_id is not None and event.type in _ENDS:
                break
    return ExitCode.OK


@app.command()
def why(task_id: TaskId, *, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """What was decided about a task, and on what grounds, in sentences."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            answer = await ask_owner(client, "why", task_id, Why)
        lines = list(answer.sentences)
        if answer.waits_for:
            lines.append(f"It waits for {answer.waits_for}.")
        printer.item(document(answer), "\n".join(lines))
        return ExitCode.OK

    run(output, work)


for _verb in (
    task_bulk.cancel,
    task_bulk.submit_many,
    task_wait.wait,
    task_steering.hold,
    task_steering.release,
    task_steering.boost,
    task_steering.move,
):
    app.command()(_verb)
