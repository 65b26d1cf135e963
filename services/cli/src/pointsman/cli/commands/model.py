"""`pointsman model`: variants."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.group import ask_pools
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column, seconds
from pointsman.cli.steering import Reason, limit_of, operate, said
from pointsman.contracts.queries import AskPool, ModelRow
from pointsman.contracts.steering import NO_LIMIT, LimitModel, LoadModel, UnloadModel

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Variant = Annotated[str, typer.Argument(metavar="MODEL", help="A variant, from `model ls`.")]
OnDevice = Annotated[
    str, typer.Option("--device", help="Which one; without it the leader chooses.")
]

_COLUMNS: Final = (
    column("model", "variant"),
    column("pool"),
    column("family"),
    column("quality"),
    column("MiB", "memory_mib"),
    column("load", "load_s", seconds),
    column("slots"),
    column("devices"),
    column("running"),
    column("at most", "running_limit"),
    column("paused"),
    column("asked"),
    column("breakers"),
    column("runs"),
    column("p50", "p50_s", seconds),
    column("p99", "p99_s", seconds),
)


@app.callback()
def model() -> None:
    """Model variants and where they are loaded."""


@app.command("ls")
def list_models(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Registered variants by family, best quality first."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            pools = await ask_pools(client, "models", AskPool(), list[ModelRow], printer=printer)
        rows = [{**document(row), "pool": pool} for pool, rows in pools for row in rows]
        printer.rows(rows, _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command()
def load(
    variant: Variant,
    *,
    device: OnDevice = "",
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Have a variant loaded; `model ls` shows until when that is asked for and not done."""

    def command() -> LoadModel:
        return LoadModel(**said(reason), variant=variant, device=device)

    operate(command, {"model": variant}, data, output)


@app.command()
def unload(
    variant: Variant,
    *,
    device: Annotated[str, typer.Option(help="Which one; without it every one that has it.")] = "",
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Have a variant unloaded; queued work may have it loaded again, unless it is paused."""

    def command() -> UnloadModel:
        return UnloadModel(**said(reason), variant=variant, device=device)

    operate(command, {"model": variant}, data, output)


@app.command()
def limit(
    variant: Variant,
    *,
    running: Annotated[
        str | None,
        typer.Option(metavar="N|none", help="At most so many attempts at the same time."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="As many as there are slots.")] = False,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Bound how many attempts of a variant run at the same time, over all devices."""
    if (running is None) != none:
        raise typer.BadParameter("give one of --running N and --none")

    def command() -> LimitModel:
        most = NO_LIMIT if running is None else limit_of(running, "--running")
        return LimitModel(**said(reason), variant=variant, running=most)

    operate(command, {"model": variant}, data, output)
