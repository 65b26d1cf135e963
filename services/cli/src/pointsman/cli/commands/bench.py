"""`pointsman bench`: measured here and now."""

import asyncio
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop

from pointsman.cli.bench_log import run_log_bench
from pointsman.cli.bench_overload import MODES as OVERLOAD_MODES
from pointsman.cli.bench_overload import run_overload_bench
from pointsman.cli.bench_services import run_services_bench
from pointsman.cli.bench_tasks import MODES, BenchFailedError, Mode, run_task_bench
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.options import Output, run
from pointsman.cli.output import OutputFormat, Printer, column
from pointsman.cli.stack_options import (
    Without,
    check_stack_options,
    services_without,
    stack_errors,
)

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_LOG_COLUMNS: Final = (
    column("store"),
    column("group commit/s", "group_commit_per_s"),
    column("library recorder/s", "library_recorder_per_s"),
    column("ratio"),
    column("p99 ms", "p99_ms"),
    column("aggregates/s", "aggregate_path_per_s"),
)
_TASK_COLUMNS: Final = (
    column("mode"),
    column("store"),
    column("tasks/s", "tasks_per_s"),
    column("idle p50 ms", "idle_p50_ms"),
    column("idle p99 ms", "idle_p99_ms"),
    column("events/task", "events_per_task"),
    column("feed lag max s", "feed_lag_max_s"),
    column("not completed", "not_completed"),
)
_PAIR_COLUMNS: Final = (
    column("without/s", "without_per_s"),
    column("with/s", "with_per_s"),
    column("ratio"),
    column("CPU ms/task without", "without_cpu_ms_per_task"),
    column("CPU ms/task with", "with_cpu_ms_per_task"),
)
_OVERLOAD_COLUMNS: Final = (
    column("mode"),
    column("demand/s", "demand_per_s"),
    column("submitted"),
    column("missed"),
    column("share", "missed_share"),
    column("degraded"),
    column("levels", "levels_seen"),
    column("flips"),
    column("back to best s", "back_to_best_s"),
)


@app.callback()
def bench() -> None:
    """Measure the log and the path of a task."""


@app.command("log")
def bench_log(
    *,
    seconds: Annotated[float, typer.Option(min=0.1, help="For how long, in all.")] = 12.0,
    writers: Annotated[int, typer.Option(min=1, max=1024, help="How many append at once.")] = 64,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Appends per second at store level: our group commit beside the library's recorder."""

    async def work(printer: Printer) -> ExitCode:
        with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as directory:
            # It brings an event loop of its own.
            report = await asyncio.to_thread(run_log_bench, seconds, writers, Path(directory))
        if printer.for_people:
            printer.rows([{"store": "sqlite", **report["sqlite"]}], _LOG_COLUMNS)
        else:
            printer.item(report)
        return ExitCode.OK

    run(output, work)


@app.command("tasks")
def bench_tasks(
    *,
    mode: Annotated[
        list[str] | None, typer.Option(metavar="|".join(MODES), help="Only this mode.")
    ] = None,
    tasks: Annotated[int, typer.Option(min=1, help="How many under load.")] = 6_000,
    clients: Annotated[int, typer.Option(min=1, max=1024, help="How many submit at once.")] = 64,
    without: Without = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Submit to completed on the feed, with all services running."""
    modes = _modes(mode)
    check_stack_options(without=without or ())

    async def work(printer: Printer) -> ExitCode:
        with stack_errors(), bench_errors():
            report = await run_task_bench(
                modes=modes,
                tasks=tasks,
                clients=clients,
                services=services_without(without or ()),
                say=printer.say,
            )
        if printer.for_people:
            printer.rows(report["modes"], _TASK_COLUMNS)
        else:
            printer.item(report)
        return ExitCode.OK

    run(output, work, loop_factory=uvloop.new_event_loop)


@app.command("services")
def bench_services(
    *,
    mode: Annotated[
        str, typer.Option(metavar="|".join(MODES), help="What answers the tasks.")
    ] = "noop",
    pairs: Annotated[int, typer.Option(min=1, max=50, help="How often.")] = 5,
    tasks: Annotated[int, typer.Option(min=1, help="How many under load.")] = 6_000,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What the services beside the scheduler cost: the same load without them and with them."""
    (wanted,) = _modes([mode])

    async def work(printer: Printer) -> ExitCode:
        with stack_errors(), bench_errors():
            report = await run_services_bench(
                mode=wanted, pairs=pairs, tasks=tasks, say=printer.say
            )
        if printer.for_people:
            printer.rows(report["pairs"], _PAIR_COLUMNS)
            printer.line(f"median ratio {report['median_ratio']}")
        else:
            printer.item(report)
        return ExitCode.OK

    run(output, work, loop_factory=uvloop.new_event_loop)


@app.command("overload")
def bench_overload(
    *,
    mode: Annotated[
        list[str] | None, typer.Option(metavar="|".join(OVERLOAD_MODES), help="Only this mode.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long the overload lasts.")] = 60.0,
    factor: Annotated[
        float, typer.Option(min=0.1, max=20, help="Demand over the best variant's capacity.")
    ] = 2.0,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Deadline misses under overload, with and without degradation."""
    for name in mode or ():
        if name not in OVERLOAD_MODES:
            raise typer.BadParameter(f"--mode is one of {', '.join(OVERLOAD_MODES)}")
    modes = tuple(name for name in OVERLOAD_MODES if not mode or name in mode)

    async def work(printer: Printer) -> ExitCode:
        with stack_errors():
            report = await run_overload_bench(
                modes=modes, seconds=seconds, factor=factor, say=printer.say
            )
        if printer.for_people:
            printer.rows(report["modes"], _OVERLOAD_COLUMNS)
        else:
            printer.item(report)
        return ExitCode.OK

    run(output, work)


@contextmanager
def bench_errors() -> Generator[None]:
    """Turn a task that did not go through into a `CommandError`."""
    try:
        yield
    except BenchFailedError as error:
        raise CommandError(str(error), code="bench_failed", exit_code=ExitCode.FAILURE) from error


def _modes(names: list[str] | None) -> tuple[Mode, ...]:
    wanted: tuple[Mode, ...] = tuple(mode for mode in MODES if not names or mode in names)
    if names and len(wanted) != len(set(names)):
        raise typer.BadParameter(f"--mode is one of {', '.join(MODES)}")
    return wanted
