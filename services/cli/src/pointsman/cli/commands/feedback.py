"""`pointsman feedback`: rate results, and see what was learned from it."""

import asyncio
import time
from typing import Annotated, Final
from uuid import UUID, uuid4

import typer

from pointsman.cli.author import author
from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.ratings import (
    POOL_COLUMNS,
    RATING_COLUMNS,
    TEXT_COLUMN,
    VARIANT_COLUMNS,
    check_choice,
    check_words,
    given,
    time_of,
    variant_rows,
    words_of,
)
from pointsman.cli.steering import IfReason, checked_reason
from pointsman.cli.task_rows import find_task
from pointsman.contracts.commands import Done
from pointsman.contracts.feedback import (
    FeedbackReport,
    ListRatings,
    RatingRow,
    ShowFeedback,
    WithdrawFeedback,
)

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_SERVICE: Final = "feedback"

By = Annotated[str | None, typer.Option(help="Whose opinion it is; you, if nobody is named.")]


@app.callback()
def feedback() -> None:
    """Rate results; see what was learned from it."""


@app.command()
def give(  # noqa: PLR0913 - one parameter per option
    task: Annotated[UUID, typer.Argument(metavar="TASK", help="A task that has completed.")],
    *,
    good: Annotated[bool, typer.Option("--good", help="The result is good.")] = False,
    bad: Annotated[bool, typer.Option("--bad", help="The result is bad.")] = False,
    score: Annotated[float | None, typer.Option(min=0, max=1, help="How good, 0 to 1.")] = None,
    comment: Annotated[str | None, typer.Option(help="Words, alone or beside a rating.")] = None,
    by: By = None,
    rating_id: Annotated[
        str | None, typer.Option("--id", help="Your id: a repetition makes no second rating.")
    ] = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Rate the result of a task; prints the id of the rating."""
    whose = by or author()
    said = (True if good else None, False if bad else None, score)

    async def work(printer: Printer) -> ExitCode:
        # What is wrong with the options is said before anybody is asked.
        check_words("--by", by)
        check_words("--comment", comment)
        given(task, "any", whose, rating_id, comment, *said)
        async with connected(data) as client:
            tenant = (await find_task(client, task)).tenant
            command = given(task, tenant, whose, rating_id, comment, *said)
            answer = await client.command(_SERVICE, "give", command)
        rating = answer.detail if isinstance(answer, Done) else None
        printer.item({"rating": rating, "task": str(task)}, rating)
        return ExitCode.OK

    run(output, work)


@app.command()
def show(
    family: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    *,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Measured quality, preferences and thresholds by family; behaviour and boosts by pool."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            report = await client.ask(
                "show", ShowFeedback(family=family), FeedbackReport, service=_SERVICE
            )
        if printer.for_people:
            printer.rows(variant_rows(report), VARIANT_COLUMNS)
            printer.line("")
            printer.rows([document(pool) for pool in report.pools], POOL_COLUMNS)
        else:
            printer.item(document(report))
        return ExitCode.OK

    run(output, work)


@app.command("ls")
def list_ratings(
    *,
    task: Annotated[UUID | None, typer.Option(help="Only of this task.")] = None,
    family: Annotated[str | None, typer.Option(help="Only of this family.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    comments: Annotated[bool, typer.Option("--comments", help="With their words.")] = False,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Ratings, newest first."""
    asked = ListRatings(task=task, family=family, tenant=tenant, limit=limit)

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            rows = await client.ask("ratings", asked, list[RatingRow], service=_SERVICE)
            shown = [document(row) for row in rows]
            if comments:
                for row, item in zip(rows, shown, strict=True):
                    item["text"] = await asyncio.to_thread(words_of, client.record.data, row)
        columns = (*RATING_COLUMNS, TEXT_COLUMN) if comments else RATING_COLUMNS
        printer.rows(shown, columns)
        return ExitCode.OK

    run(output, work)


@app.command()
def undo(  # noqa: PLR0913 - one parameter per option
    rating: Annotated[UUID | None, typer.Argument(help="One rating, from `feedback ls`.")] = None,
    *,
    task: Annotated[UUID | None, typer.Option(help="All ratings of a task, with --by.")] = None,
    by: Annotated[str, typer.Option(help="Whose ratings of the task.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All of a family.")] = False,
    family: Annotated[str | None, typer.Option(help="Which family, with --all.")] = None,
    since: Annotated[
        str | None, typer.Option(help="30m, 2h or 1d ago, or an RFC 3339 time, with --all.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Only ratings of this tenant.")] = None,
    reason: IfReason = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Withdraw ratings; what was learned from them goes with them."""

    def typed() -> WithdrawFeedback:
        command = WithdrawFeedback(
            command_id=str(uuid4()),
            by=author(),
            reason=checked_reason(reason),
            tenant=tenant,
            rating=rating,
            task=task,
            author=by,
            family=family,
            since=0.0 if since is None else time_of(since, now=time.time()),
        )
        check_choice(command, everything=everything)
        return command

    async def work(printer: Printer) -> ExitCode:
        command = typed()
        async with connected(data) as client:
            answer = await client.command(_SERVICE, "withdraw", command)
        detail = answer.detail if isinstance(answer, Done) else ""
        printer.item({"withdrawn": int(detail.partition(" ")[0] or 0)}, detail)
        return ExitCode.OK

    run(output, work)
