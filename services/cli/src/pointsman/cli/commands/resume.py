"""`pointsman resume`: grant again what was paused."""

from typing import Annotated, Final

import typer

from pointsman.cli.client import connected
from pointsman.cli.failures import ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.steering import Reason, said, steer
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.steering import ResumeScope

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.command()
def resume(
    kind: Annotated[ScopeKind, typer.Argument(help="What was paused.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
    *,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Grant a paused scope again; `pointsman pause` shows what is paused."""

    async def work(printer: Printer) -> ExitCode:
        async with connected(data) as client:
            command = ResumeScope(**said(reason), kind=kind, name=name)
            shown = {"kind": kind.value, "name": name}
            await steer(printer, client, "steer_pool", command, shown)
        return ExitCode.OK

    run(output, work)
