"""`pointsman tenant`: what each tenant may take of the pool."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode
from pointsman.cli.group import ask_pools
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column
from pointsman.cli.steering import Reason, said, steer
from pointsman.contracts.queries import AskPool
from pointsman.contracts.steering import (
    MAX_WEIGHT,
    MIN_WEIGHT,
    NO_LIMIT,
    SetTenant,
    TenantRow,
)

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS: Final = (
    column("tenant"),
    column("pool"),
    column("weight"),
    column("running"),
    column("at most", "running_limit"),
    column("waiting", "queued"),
    column("at most", "queued_limit"),
    column("device s", "device_s"),
    column("paused"),
)


@app.callback()
def tenant() -> None:
    """Weights and limits of tenants, and what they have of them."""


@app.command("ls")
def list_tenants(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Tenants with settings, or with tasks, by pool.

    `device s` is what the order between tenants counts: device-seconds over weight.
    """

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            pools = await ask_pools(client, "tenants", AskPool(), list[TenantRow], printer=printer)
        rows = [{**document(row), "pool": pool} for pool, rows in pools for row in rows]
        printer.rows(rows, _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command("set")
def set_tenant(
    name: Annotated[str, typer.Argument(help="The tenant; he need not be known yet.")],
    *,
    weight: Annotated[
        float | None,
        typer.Option(min=MIN_WEIGHT, max=MAX_WEIGHT, help="Its share against others; default 1."),
    ] = None,
    running: Annotated[
        str | None, typer.Option(metavar="N|none", help="Attempts at the same time.")
    ] = None,
    queued: Annotated[
        str | None, typer.Option(metavar="N|none", help="Tasks that wait; more are refused.")
    ] = None,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Set a tenant's weight and limits; what is not named stays."""
    most_running = limit_of(running, "--running")
    most_queued = limit_of(queued, "--queued")
    if weight is None and most_running is None and most_queued is None:
        raise typer.BadParameter("name what to set: --weight, --running or --queued")

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            command = SetTenant(
                **said(reason),
                tenant=name,
                weight=weight,
                running=most_running,
                queued=most_queued,
            )
            await steer(printer, client, "set_tenant", command, {"tenant": name})
        return ExitCode.OK

    run(output, work)


def limit_of(text: str | None, option: str) -> int | None:
    """`none` takes a limit away; raises `typer.BadParameter`."""
    if text is None:
        return None
    if text == "none":
        return NO_LIMIT
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"{text!r} is neither a number nor `none`", param_hint=option)
    return int(text)
