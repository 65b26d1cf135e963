"""`pointsman replay [--verify]`: does the log alone lead to a state, and to its decisions?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.log_files import Database
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, counted, plain, seconds
from pointsman.cli.past_logs import (
    Argument,
    Backups,
    LogFiles,
    PastLog,
    Pools,
    pool_arguments,
    report_on,
)
from pointsman.cli.time_machine import Report

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def replay(  # noqa: PLR0913 - one argument per option
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Make every decision again, and compare.")
    ] = False,
    first: Annotated[
        int, typer.Option("--from", min=1, help="Verify decisions from this position on.")
    ] = 1,
    last: Annotated[
        int | None, typer.Option("--to", min=1, help="Verify decisions up to this position.")
    ] = None,
    pools: Pools = None,
    log: LogFiles = None,
    backup: Backups = None,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Fold the log; with --verify make every decision again on exactly the state it was made on.

    Ends with 1 if any differs, or if the log cannot be folded to its end; what was found up to
    there is told. What the log does not hold the input of is counted by type, not passed. Changes
    nothing; the stack may be running.
    """
    if not verify and (first > 1 or last is not None):
        raise typer.BadParameter("--from and --to choose decisions to verify: give --verify too")
    if last is not None and last < first:
        raise typer.BadParameter(f"--to {last} lies before --from {first}: nothing is between")
    span = ("--from", first, *(() if last is None else ("--to", last)))
    verb = "replay" if verify else "fold"
    asked = (*(span if verify else ()), *pool_arguments(*(pools or ())))
    named = [PastLog(data, log=each) for each in log or ()]
    named += [PastLog(data, backup=each) for each in backup or ()]

    async def work(printer: Printer) -> ExitCode:
        if len(named) > 1:
            return await _replay_all(printer, named, verb, asked)
        log = named[0] if named else PastLog(data, postgres)
        report = await report_on(log, verb, *asked, printer=printer)
        printer.item(report, _words(report))
        return _status(report)

    run(output, work)


async def _replay_all(
    printer: Printer, logs: Sequence[PastLog], verb: str, asked: Sequence[Argument]
) -> ExitCode:
    """Each by itself: what is wrong with one keeps none of the others from being read."""
    statuses: list[ExitCode] = []
    sums = Counter[str]()
    for log in logs:
        try:
            report = await report_on(log, verb, *asked, printer=printer)
        except CommandError as error:
            statuses.append(ExitCode.FAILURE)
            said = {"code": error.code, "message": error.message, "next": error.next_step}
            words = f"{log.name}\nnot replayed: {error.message} [{error.code}]\n{error.next_step}\n"
            printer.stream({"log": log.name, "error": said}, words)
            continue
        statuses.append(_status(report))
        sums.update({name: report.get(name, 0) for name in ("events", "decisions", "different")})
        printer.stream({"log": log.name, **report}, f"{log.name}\n{_words(report)}\n")
    printer.end_stream()
    failed = sum(status is not ExitCode.OK for status in statuses)
    if printer.for_people:
        verified = f"; {_verified(sums)}" if verb == "replay" else ""
        printer.line(
            f"{len(logs)} logs, {sums['events']} events{verified}; {counted(failed, 'log')} failed"
        )
    return ExitCode.FAILURE if failed else ExitCode.OK


def _status(report: Report) -> ExitCode:
    return ExitCode.FAILURE if report.get("different") or report["stopped"] else ExitCode.OK


def _verified(counts: Mapping[str, Any]) -> str:
    again = counted(counts["decisions"], "decision")
    return f"of {again} made again {counts['different']} differ"


def _words(report: Report) -> str:
    folded = f"{counted(report['events'], 'event')} folded"
    pools = ", ".join(report["pools"]) or "no pool was ever led"
    stop = [] if report["stopped"] is None else _stop(report["stopped"])
    speed = f"{report['fold_events_per_s']:,.0f} events/s folded"
    if "decisions" not in report:
        return "\n".join([f"{folded} ({pools})", *stop, f"{speed}, {seconds(report['seconds'])}"])
    lines = [f"{folded}; {_verified(report)} ({pools})"]
    lines += [_difference(each) for each in report["differences"]]
    hidden = report["different"] - len(report["differences"])
    lines += [f"  and {counted(hidden, 'more difference')}"] if hidden > 0 else []
    lines += stop
    if report["beyond_window"]:
        lines.append(
            f"{report['beyond_window']} were recorded too long after the state that they stood on "
            "and were not made again"
        )
    if report["unrecorded"]:
        lines.append(
            f"{report['unrecorded']} more are decided now in the same rounds: they lost a race "
            "with a command then, or were not recorded"
        )
    lines += _not_made_again(report["not_redecided"])
    lines.append(
        f"{speed}, {report['decisions_per_s']:,.0f} decisions/s made again, "
        f"{seconds(report['seconds'])}"
    )
    return "\n".join(lines)


def _stop(stopped: dict[str, Any]) -> list[str]:
    what = f" ({stopped['type']})" if stopped["type"] else ""
    return [
        (
            f"stopped at position {stopped['position']}{what}, so that nothing from there on was "
            f"looked at: {stopped['reason']} [{stopped['code']}]"
        ),
        f"  {stopped['next_step']}",
    ]


def _not_made_again(counts: dict[str, int]) -> list[str]:
    """By type; that of a decision of other rules stands with their name."""
    foreign = {topic: count for topic, count in counts.items() if topic.endswith(")")}
    others = {topic: count for topic, count in counts.items() if topic not in foreign}
    told = (
        ("decided by the rules of another release, not made again", foreign),
        ("not made again, for want of their input", others),
    )
    return [
        f"{why}: {', '.join(f'{topic} {count}' for topic, count in some.items())}"
        for why, some in told
        if some
    ]


def _difference(each: dict[str, Any]) -> str:
    return (
        f"  position {each['position']} ({each['type']}): {each['field']} was "
        f"{_exact(each['recorded'])} and is {_exact(each['decided'])} now"
    )


def _exact(value: object) -> str:
    """Two numbers that differ look different, however little it is."""
    return repr(value) if isinstance(value, float) else plain(value)
