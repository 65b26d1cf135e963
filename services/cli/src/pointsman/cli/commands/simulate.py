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

Out = Annotated[Path, typer.Option("--out", help="Where to write the trace.")]


@app.callback(invoke_without_command=True)
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
    output: Output = OutputFormat.TABLE,
) -> None:
    """Run the tasks of a trace under a policy: simulated, no device runs anything.

    A file sets our policy: TOML with what differs from the defaults, which the report names.

    Columns of the trace: arrival_s, model, service_s, and optionally tenant, class, deadline_s,
    load_s, input_tokens, output_tokens.
    """
    if context.invoked_subcommand is not None:
        return
    if trace is None:
        raise typer.BadParameter("name a trace with --trace, or write one with simulate generate")
    if policy not in _POLICIES and not Path(policy).is_file():
        raise typer.BadParameter(f"--policy is one of {', '.join(_POLICIES)}, or a TOML file")
    fleet = ("--devices", devices, "--slots", slots)
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
