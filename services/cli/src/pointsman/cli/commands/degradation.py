"""`pointsman degradation`: the ladder, its history, and holding it by hand."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Final
from uuid import uuid4

import typer

from pointsman.cli.author import author
from pointsman.cli.client import StackClient, connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.group import ANY, named_pools
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, clock, column, counted, seconds, share
from pointsman.cli.steering import IfReason, checked_reason
from pointsman.contracts.commands import Answer, Done
from pointsman.contracts.degradation import (
    MAX_WORDS_CHARS,
    AskHistory,
    AskLadders,
    EndOverride,
    HistoryRow,
    LadderRow,
    SetOverride,
)
from pointsman.contracts.levels import Level

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_SERVICE: Final = "degradation"
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)")
_UNIT_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}

_HISTORY: Final = (
    column("position"),
    column("at (UTC)", "at", clock),
    column("pool"),
    column("event", "topic"),
    column("what"),
)

Span = Annotated[str, typer.Option("--for", metavar="TIME", help="30s, 10m or 2h; at most 24h.")]
OfPool = Annotated[str | None, typer.Option("--pool", help="Whose ladder; the first pool's.")]


@app.callback()
def degradation() -> None:
    """How much quality is given up, and why."""


@app.command()
def show(
    *,
    history: Annotated[
        int | None, typer.Option(min=1, max=1000, help="The latest decisions instead.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Only of this pool; all otherwise.")] = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """The ladder of each pool with what it stands on, or the latest decisions."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            if history is None:
                await _show_ladders(printer, client, pool)
            else:
                await _show_history(printer, client, pool, history)
        return ExitCode.OK

    run(output, work)


@app.command()
def override(
    level: Annotated[Level, typer.Argument(help="Where the ladder is held.")],
    *,
    span: Span,
    reason: IfReason = None,
    pool: OfPool = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Hold the ladder at a level, whatever its signals say."""
    ttl_s = duration_s(span)

    async def work(printer: Printer) -> ExitCode:
        why = checked_reason(reason, most=MAX_WORDS_CHARS)
        async with connected(data) as client:
            command = SetOverride(
                command_id=str(uuid4()),
                pool=_whose(client, pool),
                level=level,
                ttl_s=ttl_s,
                by=author(),
                reason=why,
            )
            answer = await client.command(_SERVICE, "override", command)
            _say(printer, command.pool, answer)
        return ExitCode.OK

    run(output, work)


@app.command()
def clear(
    *,
    pool: OfPool = None,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """End an override: the ladder follows its signals again."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            command = EndOverride(
                command_id=str(uuid4()),
                pool=_whose(client, pool),
                by=author(),
            )
            answer = await client.command(_SERVICE, "end_override", command)
            _say(printer, command.pool, answer)
        return ExitCode.OK

    run(output, work)


def duration_s(text: str) -> float:
    """`30s`, `10m` or `2h` in seconds; raises `typer.BadParameter`."""
    span = _SPAN.fullmatch(text)
    if span is None:
        raise typer.BadParameter(f"--for {text!r} is no time: write 30s, 10m or 2h")
    return float(span[1]) * _UNIT_S[span[2]]


async def _show_ladders(printer: Printer, client: StackClient, pool: str | None) -> None:
    pools = named_pools(client, pool or ANY)
    ladders = await client.ask("state", AskLadders(), list[LadderRow], service=_SERVICE)
    rows = [row for row in ladders if row.pool in pools]
    if printer.for_people:
        for row in rows:
            for line in ladder_lines(row):
                printer.line(line)
    else:
        printer.rows([document(row) for row in rows], ())


async def _show_history(
    printer: Printer, client: StackClient, pool: str | None, limit: int
) -> None:
    named_pools(client, pool or ANY)
    asked = AskHistory(limit=limit, pool=pool or ANY)
    rows = await client.ask("history", asked, list[HistoryRow], service=_SERVICE)
    printer.rows([document(row) for row in rows], _HISTORY)


def ladder_lines(row: LadderRow) -> Iterator[str]:
    """One ladder as people read it."""
    held = f" for {seconds(row.held_s)}" if row.held_s is not None else ""
    yield f"{row.pool}: {row.level}{held}"
    if row.override is not None:
        why = f" ({row.override.reason})" if row.override.reason else ""
        until = clock(row.override.until)
        yield f"  override     {row.override.level} until {until} UTC by {row.override.by}{why}"
    inputs, limits = row.inputs, row.thresholds
    of = f", family {inputs.family}" if inputs.family else ""
    entries = ", ".join(map(seconds, (limits.conserve_s, limits.degrade_s, limits.shed_s)))
    yield f"  wait         {_or_unknown(inputs.predicted_wait_s, seconds)}{of}; enters at {entries}"
    load, recovers = _or_unknown(inputs.load_at_best, share), share(limits.recovery_load)
    yield f"  load         {load} of what the best variants carry; recovers at {recovers}"
    device, limit = _or_unknown(inputs.device, share), share(limits.device_high)
    yield f"  device       {device}; at its limit at {limit}"
    yield f"  alerts       {', '.join(inputs.alerts) or 'none'}"
    if inputs.kept_back:
        kept = counted(inputs.kept_back, "task")
        yield f"  kept back    {kept} by an operator; no reason for a step"
    if inputs.unknown:
        yield f"  unknown      {', '.join(inputs.unknown)}"
    for timer in row.timers:
        if timer.for_s is not None:
            lasted, needed = seconds(timer.for_s), seconds(timer.needed_s)
            yield f"  timer        {timer.condition}: for {lasted}, needed {needed}"
    for fallback in row.fallbacks:
        instead = fallback.fallback or "none is viable"
        until = clock(fallback.until)
        yield f"  fallback     {fallback.variant} -> {instead} until {until} UTC: {fallback.code}"


def _or_unknown(value: float | None, text: Callable[[object], str]) -> str:
    return "unknown" if value is None else text(value)


def _whose(client: StackClient, pool: str | None) -> str:
    return named_pools(client, pool or client.record.pool)[0]


def _say(printer: Printer, pool: str, answer: Answer) -> None:
    detail = answer.detail if isinstance(answer, Done) else ""
    printer.item({"pool": pool, "detail": detail}, detail)
