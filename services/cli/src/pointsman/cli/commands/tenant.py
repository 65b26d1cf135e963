"""`pointsman tenant`: what each tenant may take of the pool."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.documents import document
from pointsman.cli.failures import ExitCode, InvalidOptionError
from pointsman.cli.group import ask_pools
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, column, figures
from pointsman.cli.steering import Reason, limit_of, operate, said
from pointsman.cli.submitting import check_tenant
from pointsman.contracts.queries import AskPool
from pointsman.contracts.steering import MAX_WEIGHT, MIN_WEIGHT, SetTenant, TenantRow

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS: Final = (
    column("tenant"),
    column("pool"),
    column("weight"),
    column("running"),
    column("running limit", "running_limit"),
    column("waiting", "queued"),
    column("waiting limit", "queued_limit"),
    column("device s/weight", "device_s"),
    column("paused"),
)


@app.callback()
def tenant() -> None:
    """Weights and limits of tenants, and what they have of them."""


@app.command("ls")
def list_tenants(*, data: Data = DEFAULT_DATA, output: Output = OutputFormat.TABLE) -> None:
    """Tenants with settings, or with tasks, by pool.

    `device s/weight` is what the order between tenants counts: whoever had least comes next. Who
    had nothing to do for a while begins where the others are.
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
        typer.Option(help=f"Its share, {MIN_WEIGHT:g} to {MAX_WEIGHT:g}; default 1."),
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

    def command() -> SetTenant:
        check_tenant("NAME", name)
        if weight is not None and not MIN_WEIGHT <= weight <= MAX_WEIGHT:
            raise InvalidOptionError(
                f"--weight {figures(weight)} is not between {MIN_WEIGHT:g} and {MAX_WEIGHT:g}"
            )
        if weight is None and running is None and queued is None:
            raise InvalidOptionError("name what to set: --weight, --running or --queued")
        return SetTenant(
            **said(reason),
            tenant=name,
            weight=weight,
            running=None if running is None else limit_of(running, "--running"),
            queued=None if queued is None else limit_of(queued, "--queued"),
        )

    operate(command, {"tenant": name}, data, output)
