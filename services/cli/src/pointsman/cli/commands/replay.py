"""`pointsman replay --verify`: does the log alone lead to the decisions that it holds?"""

from typing import Annotated, Any, Final

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.log_files import Database
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, counted, plain
from pointsman.cli.past_logs import Backup, LogFile, Pools, log_to_read
from pointsman.cli.time_machine import Report, ask_time_machine

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def replay(  # noqa: PLR0913 - one argument per option
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare what is decided now with what was recorded.")
    ] = False,
    first: Annotated[
        int, typer.Option("--from", min=1, help="Decisions from this position on.")
    ] = 1,
    last: Annotated[
        int | None, typer.Option("--to", min=1, help="Decisions up to this position.")
    ] = None,
    pools: Pools = None,
    log: LogFile = None,
    backup: Backup = None,
    data: Data = DEFAULT_DATA,
    postgres: Database = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Fold the log and make every decision again on exactly the state that it was made on.

    Ends with 1 if any differs. What the log does not hold the input of is counted by type, not
    passed. Changes nothing; the stack may be running.
    """
    if not verify:
        raise typer.BadParameter("say what for: --verify compares every decision with the log")
    if last is not None and last < first:
        raise typer.BadParameter(f"--to {last} lies before --from {first}: nothing is between")
    asked: list[str | int] = ["--from", first]
    asked += [] if last is None else ["--to", last]
    for pool in pools or ():
        asked += ["--pool", pool]

    async def work(printer: Printer) -> ExitCode:
        source = log_to_read(data.absolute(), log=log, backup=backup, postgres=postgres)
        async with source as file:
            report = await ask_time_machine("replay", "--log", file, *asked, say=printer.say)
        if first > report["events"]:
            raise CommandError(
                f"the log ends at position {report['events']}, before --from {first}",
                code="position_beyond_log",
                exit_code=ExitCode.NOT_FOUND,
                next_step="name an earlier position; `pointsman events ls --last 1` shows the end",
            )
        printer.item(report, _words(report))
        wrong = report["different"] or report["stopped"]
        return ExitCode.FAILURE if wrong else ExitCode.OK

    run(output, work)


def _words(report: Report) -> str:
    lines = [
        (
            f"{report['events']} events folded; of {counted(report['decisions'], 'decision')} made "
            f"again {report['different']} differ"
            f" ({', '.join(report['pools']) or 'no pool was ever led'})"
        )
    ]
    lines += [_difference(each) for each in report["differences"]]
    hidden = report["different"] - len(report["differences"])
    lines += [f"  and {counted(hidden, 'more difference')}"] if hidden > 0 else []
    if (stopped := report["stopped"]) is not None:
        lines.append(
            f"stopped at position {stopped['position']}: {stopped['type']} does not fit what stands"
            f" before it ({stopped['reason']})"
        )
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
    if report["not_redecided"]:
        others = ", ".join(f"{topic} {n}" for topic, n in report["not_redecided"].items())
        lines.append(f"not made again, for want of their input: {others}")
    lines.append(
        f"{report['fold_events_per_s']:,.0f} events/s folded, "
        f"{report['decisions_per_s']:,.0f} decisions/s made again, {report['seconds']:.3g} s"
    )
    return "\n".join(lines)


def _difference(each: dict[str, Any]) -> str:
    return (
        f"  position {each['position']} ({each['type']}): {each['field']} was "
        f"{plain(each['recorded'])} and is {plain(each['decided'])} now"
    )
