"""`pointsman bench scheduler` and `pointsman bench policy`: the decisions by themselves."""

from typing import Annotated, Any, Final

import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.options import Output, run
from pointsman.cli.output import Column, Document, OutputFormat, Printer, column
from pointsman.cli.time_machine import ask_time_machine

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_COLUMNS: Final[tuple[Column, ...]] = (
    column("load"),
    column("of seeds", "of"),
    column("mean wait", "mean_wait_s"),
    column("p50", "p50_wait_s"),
    column("p99", "p99_wait_s"),
    column("max", "max_wait_s"),
    column("swaps", "swaps_per_100"),
)


@app.command("scheduler")
def bench_scheduler(
    *,
    queued: Annotated[
        int, typer.Option(min=10, max=10_000_000, help="Tasks that wait all the time.")
    ] = 100_000,
    steps: Annotated[int, typer.Option(min=100, help="How many are measured.")] = 100_000,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Enqueue and decide with many tasks queued; a tenth are re-keyed, a tenth cancelled.

    50 tenants, 87 models on 4 devices that run nothing. Beside it the same on a plain heap, and
    with all tasks sorted for each decision.
    """

    async def work(printer: Printer) -> ExitCode:
        asked = ("--queued", queued, "--steps", steps)
        printer.item(await ask_time_machine("bench", *asked, say=printer.say))
        return ExitCode.OK

    run(output, work)


@app.command("policy")
def bench_policy(
    *,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Seeds 1 to this one.")] = 5,
    tasks: Annotated[int, typer.Option(min=100, help="Per seed.")] = 20_000,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Simulate our policy against a plain queue; figures are ours over those of the queue.

    At the load that keeps the plain queue's 4 devices 90 % busy, at twice and at four times that.
    The rows `bound` are what no policy can fall below, over ours: 1 would be as good as can be.
    """

    async def work(printer: Printer) -> ExitCode:
        asked = ("--seeds", seeds, "--tasks", tasks)
        report = await ask_time_machine("compare", *asked, say=printer.say)
        if printer.for_people:
            printer.rows(_rows(report["factors"]), _COLUMNS)
            for factor in report["factors"]:
                printer.line(_held(factor["load"], factor["memory"]))
            printer.line(f"simulated: {report['simulated']}")
        else:
            printer.item(report)
        return ExitCode.OK

    run(output, work)


@app.command("fairness")
def bench_fairness(
    *,
    seed: Annotated[int, typer.Option(help="The same seed gives the same tasks.")] = 1,
    tasks: Annotated[int, typer.Option(min=10, help="Of the light tenant.")] = 2_000,
    devices: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 4,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Simulate two tenants of equal weight on one model, ten arrivals of one for each of the other.

    Both backlogged: by how much their device-seconds differ. The light one at half of its share:
    its p99 latency, beside what it would have on half of the devices for itself.
    """

    async def work(printer: Printer) -> ExitCode:
        asked = ("--seed", seed, "--tasks", tasks, "--devices", devices)
        printer.item(await ask_time_machine("fairness", *asked, say=printer.say))
        return ExitCode.OK

    run(output, work)


def _held(load: float, memory: dict[str, float]) -> str:
    held, of = memory["held_models"], memory["all_models"]
    saved = 1 - memory["share"]
    return f"load {load:g}: {held:.2f} of {of} models held on average, {saved:.0%} less than all"


def _rows(factors: list[dict[str, Any]]) -> list[Document]:
    return [
        {"load": factor["load"], "of": of, **factor[of]}
        for factor in factors
        for of in ("median", "worst", "bound")
    ]
