"""`pointsman bench`: measured here and now."""

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, cast

import typer
import uvloop

from pointsman.cli.bench.log import run_log_bench
from pointsman.cli.bench.overload import MODES as OVERLOAD_MODES
from pointsman.cli.bench.overload import run_overload_bench
from pointsman.cli.bench.readings import memory_line
from pointsman.cli.bench.services import run_services_bench
from pointsman.cli.bench.takeover import SIMULATED, run_takeover_bench, start_rows
from pointsman.cli.bench.tasks import (
    MODES,
    STORES,
    BenchFailedError,
    Mode,
    Store,
    run_task_bench,
)
from pointsman.cli.commands import bench_decisions, bench_routing
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
app.add_typer(bench_decisions.app)
app.add_typer(bench_routing.app)


def _decided_otherwise(replay: object) -> str:
    if not isinstance(replay, dict):
        return "-"
    figures = cast("Mapping[str, int]", replay)
    return f"{figures['different']} of {figures['decisions']}"


_LOG_COLUMNS: Final = (
    column("store"),
    column("group commit/s", "group_commit_per_s"),
    column("library recorder/s", "library_recorder_per_s"),
    column("ratio"),
    column("p99 ms", "p99_ms"),
    column("aggregates/s", "aggregate_path_per_s"),
    column("not measured", "not_measured"),
)
_TAIL_COLUMNS: Final = (
    column("seconds"),
    column("writers"),
    column("processes"),
    column("read"),
    column("missed"),
    column("out of order", "out_of_order"),
)
_TASK_COLUMNS: Final = (
    column("mode"),
    column("store"),
    column("tasks/s", "tasks_per_s"),
    column("idle p50 ms", "idle_p50_ms"),
    column("idle p99 ms", "idle_p99_ms"),
    column("events/task", "events_per_task"),
    column("tasks/call", "tasks_per_call"),
    column("feed lag max s", "feed_lag_max_s"),
    column("log B/event", "log_bytes_per_event"),
    column("not completed", "not_completed"),
    column("decided otherwise", "replay", _decided_otherwise),
)
_PAIR_COLUMNS: Final = (
    column("without/s", "without_per_s"),
    column("with/s", "with_per_s"),
    column("ratio"),
    column("CPU ms/task without", "without_cpu_ms_per_task"),
    column("CPU ms/task with", "with_cpu_ms_per_task"),
)
_START_COLUMNS: Final = (
    column("start"),
    column("seconds"),
    column("folded events", "folded_events"),
    column("open tasks", "open_tasks"),
    column("RSS MiB", "rss_mib"),
    column("peak RSS MiB", "peak_rss_mib"),
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
    seconds: Annotated[float, typer.Option(min=0.1, help="For how long, per store.")] = 12.0,
    writers: Annotated[int, typer.Option(min=1, max=1024, help="How many append at once.")] = 64,
    tail_seconds: Annotated[
        float,
        typer.Option(min=0, help="For how long to read behind 16 writers in 4 processes."),
    ] = 0.0,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Appends per second at store level: our group commit beside the library's recorder."""

    async def work(printer: Printer) -> ExitCode:
        with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as directory:
            report = await run_log_bench(
                seconds, writers, Path(directory), tail_seconds=tail_seconds
            )
        if printer.for_people:
            stores = {"sqlite": report["sqlite"], "postgresql": report["postgresql"]}
            printer.rows(
                [{"store": store, **figures} for store, figures in stores.items()], _LOG_COLUMNS
            )
            if "tail" in report:
                printer.rows([report["tail"]], _TAIL_COLUMNS)
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
    store: Annotated[
        str,
        typer.Option(
            metavar="|".join(STORES),
            help="Where the log is; on postgresql each service runs alone.",
        ),
    ] = "sqlite",
    without: Without = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Submit to completed on the feed, with all services running."""
    modes = _modes(mode)
    wanted = _store(store)
    check_stack_options(without=without or ())

    async def work(printer: Printer) -> ExitCode:
        with stack_errors(), bench_errors():
            report = await run_task_bench(
                modes=modes,
                tasks=tasks,
                clients=clients,
                services=services_without(without or ()),
                store=wanted,
                say=printer.say,
            )
        if printer.for_people:
            printer.rows(report["modes"], _TASK_COLUMNS)
            for figures in report["modes"]:
                printer.line(memory_line(figures["mode"], figures["rss_mib"]))
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


@app.command("takeover")
def bench_takeover(
    *,
    queued: Annotated[int, typer.Option(min=1, help="Open tasks.")] = 100_000,
    ended: Annotated[int, typer.Option(min=0, help="Tasks that ended before.")] = 50_000,
    output: Output = OutputFormat.TABLE,
) -> None:
    """How soon a start knows and leads a pool with many open tasks, and what memory that takes."""

    async def work(printer: Printer) -> ExitCode:
        with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as directory:
            report = await run_takeover_bench(
                Path(directory), queued=queued, ended=ended, say=printer.say
            )
        if printer.for_people:
            printer.rows(start_rows(report), _START_COLUMNS)
            printer.line(f"simulated: {SIMULATED}")
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


def _store(name: str) -> Store:
    for store in STORES:
        if name == store:
            return store
    raise typer.BadParameter(f"--store takes one of {', '.join(STORES)}")


def _modes(names: list[str] | None) -> tuple[Mode, ...]:
    wanted: tuple[Mode, ...] = tuple(mode for mode in MODES if not names or mode in names)
    if names and len(wanted) != len(set(names)):
        raise typer.BadParameter(f"--mode is one of {', '.join(MODES)}")
    return wanted
