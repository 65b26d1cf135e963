"""`pointsman simulate`: what a policy would have done with recorded or made-up tasks."""

from pathlib import Path
from typing import Annotated, Final

import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.options import Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.time_machine import ask_time_machine

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_POLICIES: Final = ("fifo", "fifo-affinity", "greedy-affinity", "edf", "pointsman")
_LAYOUTS: Final = ("azure", "mooncake")

_HELP: Final = """\
Run the tasks of a trace under a policy: simulated, no device runs anything.

Policies: fifo is one queue; fifo-affinity prefers a free device that has the model;
greedy-affinity serves a model as long as somebody waits for it; edf takes the earliest virtual
deadline; pointsman is ours. A file sets ours: TOML with what differs from the defaults, which
the report names.

The trace is CSV with a header, sorted by arrival, and times in seconds from its beginning.
Needed: arrival_s, model, service_s (how long the run takes). Optional: tenant; class
(interactive, standard, batch, background; else standard); deadline_s (from the beginning as
well, not from its arrival); load_s (of its model, else 22); devices_per_instance and memory_mib
(of its model, the same in each line); input_tokens, output_tokens (only kept).

A wait goes from arrival to the beginning of the run, the load included; swaps_per_100 counts
loads. Devices are equal but for --memory-mib and never fail, nothing is unloaded for being
idle, and there are no hedges, no shared calls and no pauses or limits. Several slots, models
on several devices and --memory-mib are known to pointsman only.
"""

Out = Annotated[Path, typer.Option("--out", help="Where to write the trace.")]


@app.callback(invoke_without_command=True, help=_HELP)
def simulate(
    context: typer.Context,
    *,
    trace: Annotated[Path | None, typer.Option(help="CSV, sorted by arrival_s.")] = None,
    devices: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 4,
    slots: Annotated[int, typer.Option(min=1, max=1_000, help="Per device.")] = 1,
    policy: Annotated[
        str,
        typer.Option(
            metavar=f"{'|'.join(_POLICIES)}|FILE", help="What decides, or how ours is set."
        ),
    ] = "pointsman",
    memory_mib: Annotated[
        str,
        typer.Option(metavar="MIB[,MIB...]", help="Of every device, or of each; else all fits."),
    ] = "",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run the tasks of a trace under a policy."""
    if context.invoked_subcommand is not None:
        return
    if trace is None:
        raise typer.BadParameter("name a trace with --trace, or write one with simulate generate")
    fleet = ("--devices", devices, "--slots", slots, "--memory-mib", memory_mib)
    asked = ("--trace", trace, *fleet, "--policy", policy)

    async def work(printer: Printer) -> ExitCode:
        printer.item(await ask_time_machine("simulate", *asked, say=printer.say))
        return ExitCode.OK

    run(output, work)


@app.command("generate")
def simulate_generate(
    *,
    out: Out,
    seed: Annotated[int, typer.Option(help="The same seed gives the same tasks.")] = 1,
    tasks: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many.")] = 20_000,
    devices: Annotated[
        int, typer.Option(min=1, max=10_000, help="A plain queue keeps so many 90 % busy.")
    ] = 4,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Write the made-up workload: 87 models of which 5 take 70 %, bursts, long loads."""
    asked = ("--seed", seed, "--tasks", tasks, "--devices", devices, "--out", out)

    async def work(printer: Printer) -> ExitCode:
        printer.item(await ask_time_machine("generate", *asked, say=printer.say))
        return ExitCode.OK

    run(output, work)


@app.command("convert")
def simulate_convert(
    source: Annotated[Path, typer.Argument(help="The published file.")],
    *,
    layout: Annotated[str, typer.Option("--from", metavar="|".join(_LAYOUTS))],
    out: Out,
    model: Annotated[str, typer.Option(help="Which model it was; the file does not say.")] = "llm",
    input_tokens_per_s: Annotated[
        float, typer.Option(min=0.001, help="How fast input is read.")
    ] = 4_000.0,
    output_tokens_per_s: Annotated[
        float, typer.Option(min=0.001, help="How fast output is written.")
    ] = 40.0,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a trace of a published one; run times are computed from token counts, not measured.

    azure: CSV with TIMESTAMP,ContextTokens,GeneratedTokens. mooncake: JSON lines with timestamp
    (milliseconds), input_length, output_length.
    """
    if layout not in _LAYOUTS:
        raise typer.BadParameter(f"--from is one of {', '.join(_LAYOUTS)}")
    rates = (
        *("--input-tokens-per-s", input_tokens_per_s),
        *("--output-tokens-per-s", output_tokens_per_s),
    )
    asked = ("--layout", layout, "--source", source, "--out", out, "--model", model, *rates)

    async def work(printer: Printer) -> ExitCode:
        printer.item(await ask_time_machine("convert", *asked, say=printer.say))
        return ExitCode.OK

    run(output, work)
